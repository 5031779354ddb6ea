import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { createCertificate, type ServerCertificate } from '../../test/certificates.ts';
import { describeApi } from '../../test/describe-api.ts';
import type { ApiContext } from '../context.ts';
import { MailError, type Mailer } from './mailer.ts';
import { queueMails } from './outbox.ts';
import { forgetMails, sendMails } from './send-mails.ts';
import { smtpUrlProblems } from './smtp-address.ts';
import { createSmtpMailer } from './smtp-mailer.ts';

const never = new AbortController().signal;
const from = 'ebb@example.com';
const mail = { messageId: 'mail_1@ebb.test', to: 'ada@example.com', subject: 'A use', text: 'Who: Grace\n' };

let folder: string;
let certificate: ServerCertificate;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-mail-'));
  certificate = await createCertificate(folder, 'localhost');
});
after(() => rm(folder, { recursive: true }));

/** A real mail server that somebody else wrote; `localhost` counts as another machine where TLS is asked for. */
async function startServer(options: { secure?: boolean; hasTls?: boolean } = {}) {
  const received: { text: string; to: string[]; secure: boolean; user: unknown }[] = [];
  const server = new SMTPServer({
    secure: options.secure ?? false,
    key: await readFile(certificate.keyFile),
    cert: await readFile(certificate.certificateFile),
    hideSTARTTLS: options.hasTls === false,
    authOptional: true,
    onAuth: ({ username, password }, _session, done) =>
      password === 'p/w' ? done(null, { user: username }) : done(new Error('no')),
    onRcptTo: ({ address }, _session, done) =>
      done(
        address.startsWith('nobody') ? Object.assign(new Error('no such user'), { responseCode: 550 }) : null,
      ),
    onData(stream, session, done) {
      const to = session.envelope.rcptTo.map(({ address }) => address);
      text(stream).then((message) => {
        received.push({ text: message, to, secure: session.secure, user: session.user });
        done();
      }, done);
    },
  });
  // A client that goes away because it does not trust the certificate.
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return { received, port, close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

test('a mail goes by TLS to a server whose certificate is verified, signed in, with its Message-ID', async (t) => {
  const server = await startServer({ secure: true });
  t.after(server.close);
  const url = `smtps://ebb:p%2Fw@localhost:${server.port}`;
  await createSmtpMailer({ url, from, ca: certificate.authority }).send(mail, never);
  const [received] = server.received;
  assert.deepEqual([received?.to, received?.secure, received?.user], [['ada@example.com'], true, 'ebb']);
  assert.match(received?.text ?? '', /^Message-ID: <mail_1@ebb\.test>\r$/im);
  assert.match(received?.text ?? '', /^From: Ebb <ebb@example\.com>\r$/m);
  assert.match(received?.text ?? '', /^Auto-Submitted: auto-generated\r$/im);
});

test('a certificate of an unknown authority, or of another host, is refused', async (t) => {
  const server = await startServer({ secure: true });
  t.after(server.close);
  const unknown = createSmtpMailer({ url: `smtps://localhost:${server.port}`, from });
  await assert.rejects(unknown.send(mail, never), MailError);
  const otherName = { url: `smtps://127.0.0.1:${server.port}`, from, ca: certificate.authority };
  await assert.rejects(createSmtpMailer(otherName).send(mail, never), MailError);
  assert.deepEqual(server.received, []);
});

test('nothing that is sent can become a header or another address', async (t) => {
  const server = await startServer();
  t.after(server.close);
  const mailer = createSmtpMailer({ url: `smtp://127.0.0.1:${server.port}`, from });
  const subject = 'A use\r\nBcc: eve@example.com\r\n\r\nread this';
  await mailer.send({ ...mail, subject }, never);
  const [received] = server.received;
  assert.deepEqual(received?.to, ['ada@example.com']);
  const headers = (received?.text ?? '').split('\r\n\r\n')[0] ?? '';
  assert.ok(!/^(bcc|read this)/im.test(headers), headers);
  const twoAddresses = { ...mail, to: 'ada@example.com, eve@example.com' };
  await mailer.send(twoAddresses, never).catch(() => undefined);
  assert.ok(server.received.every(({ to }) => !to.includes('eve@example.com')));
});

test('the address of a mail server has a form, and nothing that would weaken TLS', () => {
  for (const good of ['smtps://u:p@mail.example.com', 'smtp://mail.example.com:587/', 'smtp://[::1]:25'])
    assert.deepEqual(smtpUrlProblems(good), []);
  for (const bad of ['smtps://', 'https://mail.example.com', 'smtp:mail', 'smtps://u:%zz@mail.example.com'])
    assert.match(smtpUrlProblems(bad)[0] ?? '', /^EBB_SMTP_URL is no address/, bad);
  const weaker = 'smtps://mail.example.com/?tls.rejectUnauthorized=false';
  assert.match(smtpUrlProblems(weaker)[0] ?? '', /after the port, which is not read/);
});

describeApi('the outbox', (given) => {
  let teamId: string;
  before(async () => {
    const teams = given().context.database.selectFrom('team').select('id').where('name', '=', 'acme');
    teamId = (await teams.executeTakeFirstOrThrow()).id;
  });
  beforeEach(() => given().context.database.deleteFrom('mail').execute());

  const queue = (recipient = 'ada@example.com') =>
    queueMails(
      given().context.database,
      { teamId, recipients: [recipient], subject: 'A use', body: 'Who' },
      given().context.now(),
    );
  const at = (ms: number, mailer: Mailer): ApiContext => ({
    ...given().context,
    mailer,
    now: () => new Date(Date.now() + ms),
  });
  const failing = (isFinal: boolean) => ({
    tried: 0,
    async send() {
      this.tried += 1;
      throw new MailError('no', isFinal);
    },
  });

  test('what could not be sent is sent later, once, under the same Message-ID', async () => {
    const server = await startServer();
    const mailer = createSmtpMailer({ url: `smtp://127.0.0.1:${server.port}`, from });
    await queue();
    const away = failing(false);
    assert.equal(await sendMails(at(0, away), never), 0);
    assert.equal(await sendMails(at(0, mailer), never), 0, 'it waits before it is tried again');
    assert.equal(await sendMails(at(11_000, mailer), never), 1);
    assert.equal(await sendMails(at(600_000, mailer), never), 0);
    const { id } = await given().context.database.selectFrom('mail').select('id').executeTakeFirstOrThrow();
    assert.equal(server.received.length, 1);
    assert.ok(server.received[0]?.text.includes(`<${id}@ebb.test>`));
    await server.close();
  });

  test('one that was accepted just before a crash is repeated recognisably', async () => {
    const ids: string[] = [];
    const crashing: Mailer = {
      async send({ messageId }) {
        ids.push(messageId);
        if (ids.length === 1) throw new Error('the process ends here');
      },
    };
    await queue();
    await sendMails(at(0, crashing), never);
    await sendMails(at(60_000, crashing), never);
    assert.equal(ids.length, 2);
    assert.equal(ids[0], ids[1]);
  });

  test('of several processes one sends it', async () => {
    await queue();
    const sent: string[] = [];
    const slow: Mailer = { send: async ({ to }) => void sent.push(to) };
    await Promise.all([1, 2, 3].map(() => sendMails(at(0, slow), never)));
    assert.deepEqual(sent, ['ada@example.com']);
  });

  test('a recipient that is refused is given up at once, and any after some hours; the audit says so', async () => {
    const server = await startServer();
    const mailer = createSmtpMailer({ url: `smtp://127.0.0.1:${server.port}`, from });
    await queue('nobody@example.com');
    await sendMails(at(0, mailer), never);
    await server.close();
    await queue('bob@example.com');
    const away = failing(false);
    for (let hour = 0; hour < 40; hour++) await sendMails(at(hour * 3_601_000, away), never);
    assert.equal(away.tried, 16);
    const given_up = await given()
      .context.database.selectFrom('audit_event')
      .select('detail')
      .where('action', '=', 'mail.given_up')
      .orderBy('id')
      .execute();
    assert.deepEqual(
      given_up.map(({ detail }) => detail.to),
      ['nobody@example.com', 'bob@example.com'],
    );
  });

  test('mails of a month ago are forgotten, those that wait are not', async () => {
    await queue();
    await sendMails(at(0, { send: async () => {} }), never);
    await queue('late@example.com');
    await forgetMails(at(31 * 24 * 3_600_000, failing(false)));
    const left = await given().context.database.selectFrom('mail').select('recipient').execute();
    assert.deepEqual(left, [{ recipient: 'late@example.com' }]);
  });
});
