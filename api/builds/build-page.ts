import { Type } from 'typebox';
import type { Routes } from '../http/app-type.ts';
import { textOf } from '../http/other-media.ts';

/**
 * Where a commit status links to. It is the same for every id and reads nothing, so that who may not see a build does
 * not learn from it whether there is one.
 */
export const buildPageRoute: Routes = async (app) => {
  app.get(
    '/builds/:id',
    {
      schema: {
        tags: ['builds'],
        params: Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9_]{1,64}$' }) }),
        response: textOf('text/html'),
      },
    },
    async ({ params }, reply) => {
      return reply
        .type('text/html; charset=utf-8')
        .header(
          'content-security-policy',
          "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        )
        .send(page(params.id));
    },
  );
};

function page(id: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${id}</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem } pre { background: #eee; padding: 1rem }</style>
<h1>${id}</h1>
<p>Builds are read with the key of a team that owns them, and by nobody else:</p>
<pre>ebb logs ${id}</pre>
</html>
`;
}
