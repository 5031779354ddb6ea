import { steering } from '../contract/plain-text.ts';

const steers = new RegExp(`[${steering}]`, 'g');

/** What others wrote, as one line of a terminal that it cannot steer: `?` stands for each character that could. */
export function printable(text: string): string {
  return text.replace(steers, '?');
}

/** The same of a text with line breaks. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** A log on its way to a terminal, in pieces that may end anywhere. */
export interface TerminalLog {
  write(text: string): string;
  /** The rest; and colours end, so that what is printed next is seen. */
  end(): string;
}

const esc = String.fromCharCode(27);
const colour = `${esc}\\[[0-9;:]{0,40}m`;
const part = new RegExp(`${colour}|\\r\\n?|\\t|\\n|[${steering}]`, 'g');
// May become a colour, or the end of a line, with what comes next.
const unfinished = new RegExp(`(?:${esc}(?:\\[[0-9;:]{0,40})?|\\r)$`);

/**
 * Lets a log have lines, tabs and colours, and nothing that moves the cursor, clears, renames the window, answers to the
 * keyboard or writes over what was printed before. A carriage return begins a new line.
 *
 * @see https://ecma-international.org/publications-and-standards/standards/ecma-48/
 */
export function createTerminalLog(): TerminalLog {
  let held = '';
  let isColoured = false;
  const show = (text: string) =>
    text.replace(part, (found) => {
      if (found.length > 1 && found.startsWith(esc)) isColoured = true;
      else if (found.startsWith('\r')) return '\n';
      else if (found !== '\n' && found !== '\t') return '?';
      return found;
    });
  return {
    write(text) {
      const whole = held + text;
      held = unfinished.exec(whole)?.[0] ?? '';
      return show(whole.slice(0, whole.length - held.length));
    },
    end: () => show(held) + (isColoured ? `${esc}[0m` : ''),
  };
}
