import { randomBytes } from 'node:crypto';
import { makeTemplate, type Template, type TemplateKind } from './template.ts';

export type TemplateEvent =
  | { type: 'made'; bytes: number; milliseconds: number }
  | { type: 'not_made' | 'dropped'; error: string };

/** Templates of a runner, for as long as it lives. */
export interface Templates {
  /** One of this kind, if there is one. */
  find(kind: TemplateKind): Template | undefined;
  /** Has one made beside other work, unless there is one, another is being made, or this kind failed too often. */
  want(kind: TemplateKind): void;
  /** A machine went on from it. */
  worked(kind: TemplateKind): void;
  /** A machine did not go on from it: it is not used again. */
  drop(kind: TemplateKind, template: Template, error: unknown): Promise<void>;
  /** Ends what is being made, and gives all room back. */
  close(): Promise<void>;
}

// Each is some 300 MB of memory.
const mostTemplates = 3;
const mostFailures = 3;
const makingTimeoutMs = 240_000;
const idPrefix = 'template_';

/** Whether a folder of running VMs is of a machine that becomes a template. */
export const isTemplateId = (id: string): boolean => id.startsWith(idPrefix);

export function createTemplates(options: {
  runtimeDir: string;
  onEvent?: (event: TemplateEvent) => void;
  make?: typeof makeTemplate;
}): Templates {
  const { runtimeDir, onEvent = () => {}, make = makeTemplate } = options;
  const closing = new AbortController();
  /** In the order of their last use. */
  const kept = new Map<string, Template>();
  const failures = new Map<string, number>();
  let making: Promise<void> | undefined;

  const failed = (key: string, type: 'not_made' | 'dropped', error: unknown) => {
    if (closing.signal.aborted) return;
    failures.set(key, (failures.get(key) ?? 0) + 1);
    onEvent({ type, error: error instanceof Error ? error.message : String(error) });
  };
  const makeAndKeep = async (kind: TemplateKind) => {
    const began = performance.now();
    for (const [key, oldest] of kept) {
      if (kept.size < mostTemplates) break;
      kept.delete(key);
      await oldest.close();
    }
    const template = await make({
      ...{ kind, runtimeDir, id: `${idPrefix}${randomBytes(10).toString('hex')}` },
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(makingTimeoutMs)]),
    });
    kept.set(keyOf(kind), template);
    onEvent({ type: 'made', bytes: template.bytes, milliseconds: Math.round(performance.now() - began) });
  };
  return {
    find(kind) {
      const key = keyOf(kind);
      const template = kept.get(key);
      if (!template) return undefined;
      kept.delete(key);
      kept.set(key, template);
      return template;
    },
    want(kind) {
      const key = keyOf(kind);
      if (making || closing.signal.aborted || kept.has(key)) return;
      if ((failures.get(key) ?? 0) >= mostFailures) return;
      making = makeAndKeep(kind)
        .catch((error) => failed(key, 'not_made', error))
        .finally(() => {
          making = undefined;
        });
    },
    worked: (kind) => void failures.delete(keyOf(kind)),
    async drop(kind, template, error) {
      const key = keyOf(kind);
      // Of several machines that failed at the same time the first has dropped it.
      if (kept.get(key) !== template) return;
      kept.delete(key);
      failed(key, 'dropped', error);
      await template.close();
    },
    async close() {
      closing.abort(new Error('The driver is closing.'));
      await making;
      await Promise.all([...kept.values()].map((template) => template.close()));
      kept.clear();
    },
  };
}

function keyOf({ image, accelerator, memoryMib, cpus }: TemplateKind): string {
  return JSON.stringify([image.digest, accelerator, memoryMib, cpus]);
}
