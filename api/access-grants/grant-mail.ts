/** What people are told of a use. Nothing in it is content, and nothing a team or a build wrote. */
export function useMail(use: {
  grantId: string;
  what: string;
  /** Id of what was looked at. */
  subject: string;
  at: Date;
  keyId: string;
  keyName: string;
  requestId: string;
  publicUrl: string;
}): { subject: string; body: string } {
  const { grantId, what, subject, at, keyId, keyName, requestId, publicUrl } = use;
  return {
    subject: `Ebb: your access grant ${grantId} was used`,
    body: `Somebody of Ebb's core crew used the access grant ${grantId} that your team gave.

What:     ${what} of ${subject}
When:     ${at.toISOString()}
Who:      API key ${keyId} (${oneLine(keyName)})
Request:  ${requestId}

The team's audit has the same entry: GET ${publicUrl}/v1/audit-events?subject=${grantId}
To end the grant at once: terraform destroy of its ebb_access_grant, or
DELETE ${publicUrl}/v1/access-grants/${grantId}
`,
  };
}

/** A name is free text of who made the key. */
function oneLine(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, ' ').slice(0, 100);
}
