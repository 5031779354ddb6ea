import { Type } from 'typebox';

const states = ['active', 'revoked_at_source_host', 'removing'] as const;
export type StateAtSourceHost = (typeof states)[number];

/** How a deploy key or a hook stands at the source host. */
export function StateAtSourceHost(what: string) {
  return Type.Enum([...states], {
    description: `\`active\`; \`revoked_at_source_host\` when somebody removed the ${what} there by hand; \`removing\` when it is to go and the source host does not let it go.`,
  });
}
