import { isPlainHttp } from '../../../contract/transport-security.ts';

/** What is wrong with the variables of signing in by GitHub, for people and without their values; empty when nothing is. */
export function githubProblems(values: Record<string, string | undefined>): string[] {
  const { EBB_GITHUB_CLIENT_ID: id, EBB_GITHUB_CLIENT_SECRET: secret, EBB_GITHUB_URL: site } = values;
  const both = 'EBB_GITHUB_CLIENT_ID and EBB_GITHUB_CLIENT_SECRET';
  if (!id && !secret) return [];
  if (!id || !secret) return [`${both} go together. Set both, or none so that nobody signs in by GitHub.`];
  return [
    ...(values.EBB_SMTP_URL || values.EBB_MAIL_TO_LOG === 'true'
      ? []
      : [
          `${both} are set, but who comes from GitHub the first time is sent a mail. Set EBB_SMTP_URL and EBB_MAIL_FROM.`,
        ]),
    ...(isPlainHttp(site)
      ? ['EBB_GITHUB_URL is http://…, where others read the client secret and tokens. Use https://….']
      : []),
    ...(isPlainHttp(values.EBB_PUBLIC_URL)
      ? [
          `${both} are set, but EBB_PUBLIC_URL is http://…, where others read people’s cookies. Use https://….`,
        ]
      : []),
  ];
}
