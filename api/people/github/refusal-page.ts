import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../http/problem-error.ts';
import { answerProblem } from '../../http/problem-handler.ts';

/** The border of what a browser is led to: a person reads a page, everybody else the problem document. */
export function answerRefusal(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) {
  const wantsPage = request.headers.accept?.includes('text/html') === true;
  if (!wantsPage || !(error instanceof ProblemError)) return answerProblem(error, request, reply);
  return reply
    .code(error.status)
    .headers(error.headers)
    .type('text/html; charset=utf-8')
    .header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    )
    .send(page(error.message));
}

function page(detail: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in to Ebb</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 30rem; margin: 4rem auto; padding: 0 1rem }</style>
<h1>Sign in to Ebb</h1>
<p>${escapeHtml(detail)}</p>
<p><a href="/sign-in">Back</a></p>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
