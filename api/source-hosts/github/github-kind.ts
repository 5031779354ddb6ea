import { createMemories, type Pace } from '../rest/host-memory.ts';
import type { HostKind } from '../source-hosts.ts';
import { createGithubSourceHost } from './github-source-host.ts';
import { parseGithubWebhook } from './github-webhook.ts';

// At most 80 things may be created in a minute, and 180 be changed; it asks for one such request a second.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
const githubPace: Pace = { create: 1_000, change: 350 };

/** GitHub and GitHub Enterprise as one of the kinds. */
export function githubKind(pace = githubPace): HostKind {
  const memoryOf = createMemories(pace);
  return {
    events: ['push', 'pull_request'],
    publishesHostKeys: true,
    parseWebhook: parseGithubWebhook,
    settingsPage: (url = 'https://github.com', repository, of) =>
      `${url}/${repository}/settings/${of === 'hooks' ? 'hooks' : 'keys'}`,
    open: (access) => createGithubSourceHost(access, memoryOf(access.connectionId)),
  };
}
