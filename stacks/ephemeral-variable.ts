import type { Construct } from 'constructs';
import { TerraformVariable } from './cdktf.ts';

/**
 * A variable whose value is in no plan and no state, for write-only attributes. Give it by the environment variable
 * `TF_VAR_<id>`.
 *
 * @see https://developer.hashicorp.com/terraform/language/block/variable#ephemeral
 */
export class EphemeralVariable extends TerraformVariable {
  constructor(scope: Construct, id: string, props: { readonly description: string }) {
    super(scope, id, { type: 'string', sensitive: true, nullable: false, description: props.description });
    // cdktf has no word for it.
    this.addOverride('ephemeral', true);
    this.overrideLogicalId(id);
  }
}
