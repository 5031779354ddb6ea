import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';

// Watches one build's events many times from a process of its own: tells its parent when all began, and when all have read
// the log to the end that it is told.
interface Watching {
  url: string;
  tokens: string[];
  watchers: number;
}

const agent = new Agent({ keepAlive: false });
const offsets: number[] = [];
let end = Number.POSITIVE_INFINITY;

process.on('message', (told: Watching | { end: number }) => {
  if ('end' in told) {
    end = told.end;
    tellWhenRead();
  } else void begin(told);
});
process.once('SIGTERM', () => process.exit());

async function begin({ url, tokens, watchers }: Watching): Promise<void> {
  for (let number = offsets.length; number < watchers; number += 1) {
    const headers = { authorization: `Bearer ${tokens[number % tokens.length]}` };
    const [answer] = (await once(get(url, { agent, headers }), 'response')) as [IncomingMessage];
    if (answer.statusCode !== 200) throw new Error(`A watcher was answered ${answer.statusCode}.`);
    offsets.push(0);
    read(answer, number);
  }
  process.send?.('watching');
}

/** The ids of events are offsets in the log; nothing else is looked at, so that reading costs little. */
function read(answer: IncomingMessage, number: number): void {
  let rest = '';
  answer.on('data', (bytes: Buffer) => {
    const text = rest + bytes.toString('latin1');
    const at = text.lastIndexOf('\nid: ');
    rest = text.slice(-40);
    if (at < 0) return;
    const id = /^\nid: (\d+)\n/.exec(text.slice(at, at + 40));
    if (!id) return;
    offsets[number] = Number(id[1]);
    tellWhenRead();
  });
}

function tellWhenRead(): void {
  if (offsets.every((offset) => offset >= end)) process.send?.('read');
}
