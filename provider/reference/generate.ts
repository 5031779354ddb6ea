import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Resource } from '../../contract/resource.ts';
import { declarableResources } from '../../contract/resources.ts';
import { providerSchema } from '../configuration.ts';
import { ebbProvider } from '../ebb-provider.ts';
import type { ProviderFunction } from '../plugin/provider.ts';
import type { Schema } from '../plugin/schema.ts';
import { naturalIdForm, spoken } from '../resources/words.ts';
import { providerVersion } from '../version.ts';
import { ctyInWords, exampleOf, page, schemaSections } from './markdown.ts';

/**
 * Writes the documentation of the Terraform provider into `docs/provider/`, in the layout that the Terraform Registry shows:
 * `node provider/reference/generate.ts`. Guides are written by hand.
 *
 * @see https://developer.hashicorp.com/terraform/registry/providers/docs
 */

const exampleFiles = ['hcl', 'support-access/hcl', 'token/hcl', 'workload-identity/hcl', 'team/hcl'].map(
  (name) => new URL(`../../examples/${name}/main.tf`, import.meta.url),
);
const provider = ebbProvider({});

/** Folders that hold nothing but what is generated. */
export const generatedFolders = [
  'resources',
  'data-sources',
  'ephemeral-resources',
  'functions',
  'list-resources',
  'actions',
];

/** Markdown by path below `docs/provider/`. Examples are blocks of the examples in HCL, the first that has one. */
export async function generateReference(): Promise<Map<string, string>> {
  const texts = await Promise.all(exampleFiles.map((file) => readFile(file, 'utf8')));
  const examples = texts.join('\n');
  const own = new Map(declarableResources.map((resource) => [`ebb_${resource.name}`, resource]));
  const pages = (folder: string, types: object, make: (type: string, of: { schema: Schema }) => string) =>
    Object.entries(types).map(([type, of]): [string, string] => [
      `${folder}/${short(type)}.md`,
      make(type, of),
    ]);
  return new Map([
    ['index.md', indexPage(examples)],
    ...declarableResources.map((one): [string, string] => [
      `resources/${one.name}.md`,
      resourcePage(one, examples),
    ]),
    ...pages('data-sources', provider.dataSources, (type, { schema }) => {
      const resource = own.get(type);
      return dataSourcePage(type, schema, examples, resource && naturalIdForm(resource));
    }),
    ...pages('ephemeral-resources', provider.ephemeralResources ?? {}, (type, { schema }) =>
      typePage(type, 'Ephemeral Resource', schema, exampleOf(examples, `ephemeral "${type}"`)),
    ),
    ...pages('list-resources', provider.listResources ?? {}, (type, { schema }) =>
      typePage(type, 'List Resource', schema, [`For \`terraform query\` of Terraform 1.14 or newer.`]),
    ),
    ...pages('actions', provider.actions ?? {}, (type, { schema }) =>
      typePage(type, 'Action', schema, ['For Terraform 1.14 or newer.']),
    ),
    ...Object.entries(provider.functions ?? {}).map(([name, one]): [string, string] => [
      `functions/${name}.md`,
      functionPage(name, one, examples),
    ]),
  ]);
}

function short(type: string): string {
  return type.replace(/^ebb_/, '');
}

function indexPage(examples: string): string {
  const rows = declarableResources.map(
    (resource) =>
      `| [\`ebb_${resource.name}\`](resources/${resource.name}.md) | ${resource.description} | \`${naturalIdForm(resource)}\` |`,
  );
  return page('Provider: Ebb', providerSchema.description, [
    '# Provider `ebb-ci/ebb`',
    `${providerSchema.description} Version ${providerVersion}, for Terraform 1.11 or newer and OpenTofu 1.11 or newer.`,
    ...exampleOf(examples, 'terraform', 'provider "ebb"'),
    ...schemaSections(providerSchema.attributes),
    '## Resources',
    ['| Type | What it is | Import as |', '| --- | --- | --- |', ...rows].join('\n'),
  ]);
}

function resourcePage(resource: Resource, examples: string): string {
  const type = `ebb_${resource.name}`;
  const form = naturalIdForm(resource);
  const { schema } = provider.resources[type] ?? {};
  if (!schema) throw new Error(`The provider has no resource ${type}.`);
  return typePage(type, 'Resource', schema, exampleOf(examples, `resource "${type}"`), [
    '## Import',
    `By id or as \`${form}\`, by \`terraform import ${type}.example ${form}\` or by a block:`,
    `\`\`\`hcl\nimport {\n  to = ${type}.example\n  id = "${form}"\n}\n\`\`\``,
    `\`terraform plan -generate-config-out=FILE\` writes its configuration. The data source of the same name finds a ${spoken(resource)} without managing it.`,
  ]);
}

function dataSourcePage(type: string, schema: Schema, examples: string, form: string | undefined): string {
  const found = form === undefined ? [] : [`Found by \`id\`, or by \`natural_id\` (\`${form}\`).`];
  return typePage(type, 'Data Source', schema, [...found, ...exampleOf(examples, `data "${type}"`)]);
}

function typePage(
  type: string,
  kind: string,
  { description, attributes }: Schema,
  before: string[],
  after: string[] = [],
): string {
  const title = `${type} (${kind})`;
  return page(title, description, [
    `# ${title}`,
    description,
    ...before,
    ...schemaSections(attributes),
    ...after,
  ]);
}

function functionPage(
  name: string,
  { summary, description, parameters, returns }: ProviderFunction,
  examples: string,
): string {
  const words = parameters.map((one) => `${one.name} ${ctyInWords(one.type)}`).join(', ');
  const call = examples.match(new RegExp(`provider::ebb::${name}\\(.*\\)`))?.[0];
  return page(`${name} (Function)`, summary, [
    `# ${name} (Function)`,
    description,
    ...(call ? ['## Example', `\`\`\`hcl\n${call}\n\`\`\``] : []),
    '## Signature',
    `\`\`\`text\n${name}(${words}) ${ctyInWords(returns)}\n\`\`\``,
    '## Arguments',
    parameters.map((one) => `1. \`${one.name}\` (${ctyInWords(one.type)}): ${one.description}`).join('\n'),
  ]);
}

if (import.meta.main) {
  const folder = fileURLToPath(new URL('../../docs/provider/', import.meta.url));
  for (const name of generatedFolders) await rm(join(folder, name), { recursive: true, force: true });
  for (const [name, text] of await generateReference()) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}
