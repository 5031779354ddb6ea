import type { StateAtSourceHost } from '../../contract/state-at-source-host.ts';

/** How a deploy key or a hook stands at the source host, as far as Ebb knows. */
export function stateAtHost(row: {
  remove_again_at: Date | null;
  revoked_at_source_host_at: Date | null;
}): StateAtSourceHost {
  if (row.remove_again_at) return 'removing';
  return row.revoked_at_source_host_at ? 'revoked_at_source_host' : 'active';
}
