/** Sign-in by GitHub: attempts under way, and whose account here an account there opens. */
export const statements = [
  `create table github_account (
    person_id text primary key references person,
    -- Such as https://github.com: GitHub's numbers are good within one site of it.
    site text not null,
    github_id text not null,
    -- Its name when it was last seen, for people; it may be somebody else's by now.
    login text not null,
    connected_at timestamptz not null,
    unique (site, github_id)
  )`,
  `create table github_attempt (
    id text primary key,
    -- SHA-256 of the state and of the browser's cookie, which is the code verifier.
    state_hash bytea not null unique,
    browser_hash bytea not null,
    site text not null,
    -- Of who is signed in and connects an account; null of who signs in.
    session_id text references session on delete cascade,
    expires_at timestamptz not null
  )`,
  `create index github_attempt_expires on github_attempt (expires_at)`,
  `create index github_attempt_session on github_attempt (session_id)`,
  // Of who came from GitHub for the first time: the account there that the link connects.
  `alter table sign_in add column github jsonb`,
];
