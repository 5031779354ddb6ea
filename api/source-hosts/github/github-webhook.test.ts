import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { isRefusal } from '../webhook-event.ts';
import { hookSecretText } from '../webhook-parsing.ts';
import { webhookExample } from './github-payloads-for-tests.ts';
import { parseGithubWebhook } from './github-webhook.ts';

const secret = randomBytes(32);

function parse(event: string, payload: object | Buffer, headers: Record<string, string> = {}) {
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  const signature = createHmac('sha256', hookSecretText(secret)).update(body).digest('hex');
  return parseGithubWebhook({
    headers: {
      'x-github-event': event,
      'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'x-hub-signature-256': `sha256=${signature}`,
      ...headers,
    },
    body,
    secret,
  });
}

const withHead = ({ head_commit }: Record<string, unknown>) => head_commit !== null;

describe('webhooks of GitHub', () => {
  test('every published example of every event is understood or known to start nothing', () => {
    const all: { name: string; examples: Record<string, unknown>[] }[] = createRequire(import.meta.url)(
      '@octokit/webhooks-examples',
    );
    let count = 0;
    for (const { name, examples } of all) {
      for (const example of examples) {
        // Events of a whole organisation or App never come to the hook of a repository.
        if (!example.repository) continue;
        const event = parse(name, example);
        assert.ok(!isRefusal(event), `${name}: ${JSON.stringify(event)}`);
        assert.equal(event.event, ['push', 'pull_request', 'ping'].includes(name) ? name : 'other');
        count += 1;
      }
    }
    assert.ok(count > 150, String(count));
  });

  test('a push names the commit that a branch or tag points at', () => {
    const example = webhookExample('push', withHead);
    const push = parse('push', example);
    const head = example.head_commit as { id: string; message: string };
    assert.ok(!isRefusal(push) && push.event === 'push');
    assert.deepEqual([push.ref, push.commit, push.deleted], [example.ref, head.id, false]);
    assert.equal(push.message, head.message.split('\n')[0]);
    const tagged = parse('push', { ...example, ref: 'refs/tags/v1', after: '2'.repeat(40) });
    assert.equal('commit' in tagged && tagged.commit, head.id, 'of an annotated tag, not the tag object');
  });

  test('a deleted branch has no commit, and thousands of commits are no more than one push', () => {
    const example = webhookExample('push', withHead);
    const gone = parse('push', { ...example, deleted: true, after: '0'.repeat(40), head_commit: null });
    assert.ok(!isRefusal(gone) && gone.event === 'push' && gone.deleted);
    const commits = Array.from({ length: 2048 }, () => example.head_commit);
    const many = parse('push', { ...example, commits });
    assert.ok(!isRefusal(many) && many.event === 'push');
  });

  test('a commit message may ask for no build', () => {
    const example = webhookExample('push', withHead);
    for (const message of ['Docs [skip ci]', '[CI SKIP] more', 'Docs\n\nbody\n\nskip-checks: true']) {
      const push = parse('push', {
        ...example,
        head_commit: { ...(example.head_commit as object), message },
      });
      assert.ok(!isRefusal(push) && push.event === 'push' && push.skip, message);
    }
  });

  test('a pull request comes from a fork when its head is another repository, or none any more', () => {
    const example = webhookExample('pull_request', ({ action }) => action === 'opened');
    const pull = example.pull_request as { head: object; base: { repo: { id: number } } };
    const from = (repo: unknown) => {
      const event = parse('pull_request', {
        ...example,
        pull_request: { ...pull, head: { ...pull.head, repo } },
      });
      assert.ok(!isRefusal(event) && event.event === 'pull_request');
      return event.fromFork;
    };
    assert.equal(from(pull.base.repo), false);
    assert.equal(from({ ...pull.base.repo, id: 1 }), true);
    assert.equal(from(null), true);
  });

  test('what is not signed, or not as GitHub writes it, is refused with the reason', () => {
    const example = webhookExample('push', withHead);
    const code = (event: string, payload: object | Buffer, headers: Record<string, string> = {}) => {
      const result = parse(event, payload, headers);
      return isRefusal(result) ? result.code : result.event;
    };
    const body = Buffer.from(JSON.stringify(example));
    assert.equal(
      code('push', example, { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }),
      'signature_invalid',
    );
    assert.equal(code('push', example, { 'x-hub-signature-256': 'sha256=short' }), 'signature_invalid');
    assert.equal(code('push', example, { 'x-github-delivery': 'a b' }), 'malformed');
    assert.equal(code('push', body.subarray(0, 100)), 'malformed');
    assert.equal(code('push', Buffer.from([0x7b, 0x22, 0xff, 0xfe])), 'malformed');
    assert.equal(code('push', { ...example, ref: 'main' }), 'malformed');
    assert.equal(code('push', { ...example, after: 'HEAD' }), 'malformed');
    assert.equal(code('push', { ...example, repository: undefined }), 'malformed');
    assert.equal(code('pull_request', example), 'malformed', 'the event stands in no signed place');
    const form = parse('push', Buffer.from(`payload=${encodeURIComponent(body.toString())}`), {
      'content-type': 'application/x-www-form-urlencoded',
    });
    assert.match(isRefusal(form) ? form.message : '', /application\/json/);
  });
});
