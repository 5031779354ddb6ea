import { Type } from 'typebox';
import { Id } from './id.ts';
import { roles } from './role.ts';

/** What somebody may do in a team. */
export const RoleName = Type.Enum([...roles], {
  description:
    '`viewer` reads; `maintainer` also changes projects and works with builds; `owner` may do everything, such as keys, grants, members and revoking.',
});

export const MemberId = Id('mem', 'Identifier of the membership; the audit trail names who acts by it.');
