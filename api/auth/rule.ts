import type { operatorScopes, teamScopes } from '../../contract/token.ts';

export type TeamScope = (typeof teamScopes)[number];
export type OperatorScope = (typeof operatorScopes)[number];

/** Who may call a route. Of a team's things everybody else is told what is told of things that do not exist. */
export type Rule =
  /** Everybody: nothing of a team is in the answer. */
  | { who: 'anyone' }
  /** Who shows what was given to nobody else: an API key, a token, the link of a mail; in the body. */
  | { who: 'holder' }
  /** A source host that signed the body with the secret of its hook. */
  | { who: 'source host' }
  /** Who is signed in in a browser, whatever the team. */
  | { who: 'person' }
  /**
   * A key or member of the team that owns the thing, with the scope. A token that is limited to a project reaches what is
   * of that project, nothing, or all that the scope shows. Where the path names a member, `onOthers` is the scope that it
   * takes when that is somebody else.
   */
  | {
      who: 'team';
      scope: TeamScope;
      onOthers?: TeamScope;
      projectTokens: 'own project' | 'never' | 'all';
      whileRevoked: boolean;
    }
  /** A key of the operators with the scope. */
  | { who: 'operators'; scope: OperatorScope }
  /** The token that a runner got with its claim of the very build that the path names. */
  | { who: 'runner of the build' }
  /**
   * A key of the core crew, under a grant that the team gave and that lasts, for what the grant is for. It is judged in
   * the transaction that tells the team (`access-grants/use-grant.ts`), which also tells it of what is refused.
   */
  | { who: 'core crew with a grant' };

export type Route = `${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} /${string}`;
