/** What a person is told of the first team's keys. */
export function showFirstKeys(keys: { admin: string; runner: string }): string {
  return `ebb: made the first team. Keep these keys, they are not shown again:
  admin API key:  ${keys.admin}
  runner API key: ${keys.runner}`;
}
