import { Agent, request } from 'node:http';
import { sendSteadily } from './steady-load.ts';

/** What is asked of the healthy client: a process of its own, so that an attack costs it nothing but what it costs the API. */
export interface HealthyLoad {
  url: string;
  token: string;
  rate: number;
  seconds: number;
}

/** Times from when each request was due to its whole answer, ms, ascending; and how many were not answered with 200. */
export interface HealthyTimes {
  times: number[];
  failed: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 50 });

process.on('message', (load: HealthyLoad) => {
  run(load).then(
    (result) => process.send?.(result),
    (error) => {
      throw error;
    },
  );
});

async function run({ url, token, rate, seconds }: HealthyLoad): Promise<HealthyTimes> {
  const all = await sendSteadily({ rate, seconds }, (due) => ask(url, token, due));
  const times = all.filter((time) => time !== undefined).sort((a, b) => a - b);
  return { times, failed: all.length - times.length };
}

function ask(url: string, token: string, due: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
    const sent = request(url, { agent, headers, timeout: 30_000 }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode === 200 ? performance.now() - due : undefined));
    });
    sent.once('timeout', () => sent.destroy());
    sent.once('error', () => resolve(undefined));
    sent.end();
  });
}
