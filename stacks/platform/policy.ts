/** A statement of an IAM policy. */
export interface Statement {
  Sid: string;
  Effect?: 'Allow' | 'Deny';
  Principal?: { AWS: string | string[] } | { Service: string } | '*';
  Action: string | string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

/** A policy document as AWS takes it. */
export function policy(...statements: Statement[]): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map(({ Effect = 'Allow', ...rest }) => ({ Effect, ...rest })),
  });
}

/** Lets a service of AWS take a role on behalf of this account. */
export function trust(service: string, accountId: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: service },
        Action: 'sts:AssumeRole',
        Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
      },
    ],
  });
}
