import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { MailAddress } from './mail-address.ts';

const LinkToken = Type.String({
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: 'What stands behind `#token=` in the link of the mail.',
});

const GithubOfPerson = Type.Object({
  login: Type.String({ description: 'Its name there when it was last used to sign in.' }),
  site: Type.String({ description: 'Such as `https://github.com`.' }),
  connected_at: Timestamp('When it was connected.'),
});

/** Somebody who signs in by e-mail, or by GitHub. */
export const Person = Type.Object({
  id: Id('per', 'Identifier.'),
  email: Type.String({ description: 'Address, in lower case.' }),
  created_at: Timestamp('When this person signed up.'),
  github: Type.Union([GithubOfPerson, Type.Null()], {
    description: 'The account at GitHub that signs in as this person.',
  }),
});
export type Person = Static<typeof Person>;

/** POST /v1/sign-in, and what repeats somebody's own address to be sure. */
export const SignInRequest = Type.Object({ email: MailAddress }, { additionalProperties: false });

/** POST /v1/session, and whatever else a link in a mail leads to. */
export const LinkUse = Type.Object({ token: LinkToken }, { additionalProperties: false });

/** Where a browser goes next. */
export const Destination = Type.Object({ url: Type.String({ format: 'uri' }) });

/** What is to be done next, for people. */
export const Notice = Type.Object({ detail: Type.String() });

/** A browser in which a person is signed in. */
export const Session = Type.Object({
  id: Id('ses', 'Identifier; it opens nothing.'),
  created_at: Timestamp('When it began.'),
  seen_at: Timestamp('When it was last used, to the minute.'),
  ends_at: Timestamp('When it ends by itself if it is not used any more.'),
  is_current: Type.Boolean({ description: 'Whether it is the one that asks.' }),
});
export type Session = Static<typeof Session>;
