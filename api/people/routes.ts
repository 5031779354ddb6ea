import { Type } from 'typebox';
import { normalAddress } from '../../contract/mail-address.ts';
import { LinkUse, Notice, Person, Session, SignInRequest } from '../../contract/person.ts';
import type { Routes } from '../http/app-type.ts';
import { invalidField, notFound } from '../http/problem-error.ts';
import { requireMailer } from '../mail/require-mailer.ts';
import { askToSignIn, signInSeconds } from './ask-to-sign-in.ts';
import { askForAddress, confirmAddress } from './change-address.ts';
import { readCookie, setCookie } from './cookies.ts';
import { deletePerson } from './delete-person.ts';
import { rememberBrowser } from './known-browser.ts';
import { readPerson } from './read-person.ts';
import { requireSameOrigin } from './require-same-origin.ts';
import { endSessions, listSessions, sessionCookieSeconds, toSession } from './session-store.ts';
import { signIn } from './sign-in.ts';

const tags = ['people'];
const security = [{ session: [] }];
const open: { [name: string]: string[] }[] = [];
const asked =
  'If this address may sign in here, a link is on its way to it. Open it in this browser within a quarter of an hour.';

/** Signing in by e-mail, and the sessions of who is signed in. */
export const peopleRoutes: Routes = async (app, { context }) => {
  app.post(
    '/v1/sign-in',
    {
      schema: { tags, security: open, body: SignInRequest, response: { 202: Notice } },
    },
    async (request, reply) => {
      requireSameOrigin(request, context.publicUrl);
      requireMailer(context, 'nobody signs in by it');
      await app.limitMail(request, request.body.email);
      const value = await askToSignIn(context, request.body.email);
      setCookie(context, reply, 'sign_in', { value, maxAgeSeconds: signInSeconds });
      return reply.code(202).send({ detail: asked });
    },
  );

  app.post(
    '/v1/session',
    {
      schema: { tags, security: open, body: LinkUse, response: { 201: Person } },
    },
    async (request, reply) => {
      requireSameOrigin(request, context.publicUrl);
      const { cookie } = request.headers;
      const { session, person: who } = await signIn(context, {
        token: request.body.token,
        browser: readCookie(context, cookie, 'sign_in'),
        earlier: readCookie(context, cookie, 'session'),
      });
      setCookie(context, reply, 'sign_in', { value: '', maxAgeSeconds: 0 });
      setCookie(context, reply, 'session', { value: session, maxAgeSeconds: sessionCookieSeconds });
      rememberBrowser(context, reply, who.email);
      return reply.code(201).send(who);
    },
  );

  app.delete(
    '/v1/session',
    { schema: { tags, security } },
    async ({ person: { personId, sessionId } }, reply) => {
      await endSessions(context.database, personId, sessionId);
      setCookie(context, reply, 'session', { value: '', maxAgeSeconds: 0 });
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/person',
    { schema: { tags, security, response: { 200: Person } } },
    async ({ person: { personId } }) => await readPerson(context.database, personId),
  );

  app.delete(
    '/v1/person',
    {
      schema: { tags, security, body: SignInRequest },
    },
    async ({ person: who, body }, reply) => {
      if (normalAddress(body.email) !== who.email)
        throw invalidField('email', `email must be ${who.email}, to be sure. Nothing was deleted.`);
      await deletePerson(context, who);
      setCookie(context, reply, 'session', { value: '', maxAgeSeconds: 0 });
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/person/email-change',
    {
      schema: { tags, security, body: SignInRequest, response: { 202: Notice } },
    },
    async (request, reply) => {
      await app.limitMail(request, request.body.email);
      await askForAddress(context, request.person, request.body.email);
      const detail = 'A link is on its way to both addresses. The change is made when both were opened.';
      return reply.code(202).send({ detail });
    },
  );

  app.post(
    '/v1/person/email-confirmation',
    {
      schema: { tags, security, body: LinkUse, response: { 200: Notice } },
    },
    async (request) => {
      const { isChanged } = await confirmAddress(context, request.person, request.body.token);
      return { detail: isChanged ? 'The address is changed.' : 'Now the other address must agree.' };
    },
  );

  app.get(
    '/v1/sessions',
    {
      schema: { tags, security, response: { 200: Type.Object({ items: Type.Array(Session) }) } },
    },
    async ({ person: { personId, sessionId } }) => {
      const rows = await listSessions(context, personId);
      return { items: rows.map((row) => toSession(row, sessionId)) };
    },
  );

  app.delete(
    '/v1/sessions/:id',
    { schema: { tags, security, params: Type.Object({ id: Type.String() }) } },
    async ({ params: { id }, person: { personId } }, reply) => {
      if (!(await endSessions(context.database, personId, id))) throw notFound('session', id);
      return reply.code(204).send();
    },
  );
};
