import { after, before, describe } from 'node:test';
import { testDeployKeys } from './conformance/deploy-keys.ts';
import { testEvents } from './conformance/events.ts';
import type { SourceHostFixture } from './conformance/fixture.ts';
import { testHooks } from './conformance/hooks.ts';
import { testReports } from './conformance/reports.ts';
import { testRepository } from './conformance/repository.ts';
import { type ClientKey, createGitClient, type GitClient } from './git-client.ts';

/** What every source host must do, tried with real git and ssh clients. Call it from the host's own test file. */
export function testSourceHost(kind: string, makeFixture: () => Promise<SourceHostFixture>): void {
  describe(`source host ${kind}`, () => {
    let fixture: SourceHostFixture;
    let client: GitClient;
    let developer: ClientKey;

    before(async () => {
      fixture = await makeFixture();
      client = await createGitClient();
      developer = await client.makeKey();
      await fixture.authorizeDeveloper(developer.publicKey);
    });
    after(async () => {
      await fixture.close();
      await client.close();
    });

    const get = () => ({ ...fixture, client, developer });
    testRepository(get);
    testDeployKeys(get);
    testHooks(get);
    testEvents(get);
    testReports(get);
  });
}
