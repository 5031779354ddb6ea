/** Whether a branch matches one of the patterns: `**` stands for anything, `*` for anything but `/`. */
export function matchesBranch(branch: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => toExpression(pattern).test(branch));
}

function toExpression(pattern: string): RegExp {
  const source = pattern
    .split('**')
    .map((part) => part.split('*').map(escapeForExpression).join('[^/]*'))
    .join('.*');
  return new RegExp(`^${source}$`, 's');
}

function escapeForExpression(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
