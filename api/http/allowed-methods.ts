import type { App } from './app-type.ts';

/** Notes the routes that are added after it, and tells which methods a path allows; none when there is no such path. */
export function noteMethods(app: App): (path: string) => string[] {
  const routes: { parts: string[]; methods: string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ parts: url.split('/'), methods: [method].flat() });
  });
  return (path) => {
    const asked = path.split('/');
    const fits = (parts: string[]) =>
      parts.length === asked.length &&
      parts.every((part, index) => part === asked[index] || (part.startsWith(':') && asked[index] !== ''));
    return [...new Set(routes.filter(({ parts }) => fits(parts)).flatMap(({ methods }) => methods))].sort();
  };
}
