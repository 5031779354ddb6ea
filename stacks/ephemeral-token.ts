import type { Construct } from 'constructs';
import { TerraformElement } from './cdktf.ts';

export interface EphemeralTokenProps {
  /** What the token is for, such as `builds:write`; all that the provider's API key has when left out. */
  readonly scopes?: string[];
  /** Limits the token to one project. */
  readonly projectId?: string;
}

/**
 * An access token that is good while Terraform runs, for write-only attributes: it is in no plan and no state.
 *
 * @see docs/provider/ephemeral-resources/token.md
 */
export class EphemeralToken extends TerraformElement {
  readonly #props: EphemeralTokenProps;

  constructor(scope: Construct, id: string, props: EphemeralTokenProps = {}) {
    super(scope, id, 'ephemeral.ebb_token');
    this.#props = props;
  }

  /** The token, as an expression. */
  get token(): string {
    return `\${ephemeral.ebb_token.${this.friendlyUniqueId}.token}`;
  }

  // cdktf has no constructs for ephemeral resources.
  override toTerraform(): object {
    const { scopes, projectId } = this.#props;
    const token = { ...(scopes && { scopes }), ...(projectId && { project_id: projectId }) };
    return { ephemeral: { ebb_token: { [this.friendlyUniqueId]: token } } };
  }
}
