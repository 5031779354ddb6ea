import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { KeyRotation } from '../../contract/key-rotation.ts';
import { CliError } from '../cli-error.ts';
import { clientFromEnvironment } from '../client.ts';
import { findProject } from '../find-by-name.ts';

const pollMs = 1_000;
const patienceMs = 5 * 60_000;

/** `ebb rotate-key PROJECT`: another key pair for a project, with everything sealed to it anew. */
export function rotateKeyCommand(): Command {
  return new Command('rotate-key')
    .description(
      'Give a project another key pair and seal its secrets and deploy key to it. A runner does it; builds go on meanwhile.',
    )
    .argument('<project>', 'team/project, or an id such as prj_…')
    .option('-d, --detach', 'do not wait for it')
    .action(async (name: string, options: { detach?: boolean }) => {
      const client = clientFromEnvironment(process.env);
      const { id } = await findProject(client, name);
      const path = `/v1/projects/${id}/key-rotations`;
      let rotation = await client.post<KeyRotation>(path);
      console.log(rotation.id);
      const waitsUntil = Date.now() + patienceMs;
      while (!options.detach && rotation.state === 'waiting') {
        if (Date.now() > waitsUntil)
          throw new CliError('No runner has done it yet; it is done as soon as one can. Is a runner up?');
        await delay(pollMs);
        rotation = await client.get<KeyRotation>(`${path}/${rotation.id}`);
      }
      if (rotation.state === 'failed') throw new CliError(rotation.reason ?? 'The rotation failed.');
      if (rotation.state === 'done') console.error(`ebb: the key pair of ${name} is rotated`);
    });
}
