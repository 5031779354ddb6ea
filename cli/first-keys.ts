/** Keys of the first team that were made just now. */
export interface FirstKeys {
  admin?: string;
  runner?: string;
}

/** What a person is told of them. */
export function showFirstKeys({ admin, runner }: FirstKeys): string {
  const lines = [
    ...(admin ? [`  admin API key:  ${admin}`] : []),
    ...(runner ? [`  runner API key: ${runner}`] : []),
  ];
  return `ebb: made the first team. Keep what follows, it is not shown again:\n${lines.join('\n')}`;
}
