import { steering } from './plain-text.ts';

const steers = new RegExp(`[${steering}]`, 'g');

/** A record keeps its line feed; what JSON leaves as it is, and a terminal may obey, is written as JSON may write it too. */
function escaped(record: string): string {
  return record.replace(steers, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** For pino: whoever looks at a log in a terminal sees what others sent, and is not steered by it. */
export const logHooks = { streamWrite: escaped };
