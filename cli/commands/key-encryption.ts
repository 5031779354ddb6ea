import { Command } from 'commander';
import type { KeyEncryption } from '../../contract/key-encryption.ts';
import { clientFromEnvironment } from '../client.ts';

/** `ebb key-encryption`: how far a rotation of the key-encryption key is. */
export function keyEncryptionCommand(): Command {
  return new Command('key-encryption')
    .description(
      'Show which keys wrap the keys of projects. EBB_API_KEY is the key of a runner. The exit code is 0 when older keys can go.',
    )
    .action(async () => {
      const state = await clientFromEnvironment(process.env).get<KeyEncryption>('/v1/key-encryption');
      for (const { wrapping_key, projects } of state.keys)
        console.log(`${wrapping_key}  ${projects}${wrapping_key === state.wrapping_key ? '  current' : ''}`);
      console.error(
        state.remaining === 0
          ? 'ebb: every key is wrapped by the current one; runners need no older key'
          : `ebb: ${state.remaining} keys wait to be wrapped anew; runners still need the older ones`,
      );
      process.exitCode = state.remaining === 0 ? 0 : 1;
    });
}
