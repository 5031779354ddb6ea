/**
 * Fields of a message: name → `number type`, where the type may be `repeated T`, `map T` (string keys) or `one T`
 * (member of the message's only oneof).
 */
export type MessageFields = { readonly [name: string]: string };

/** Definitions in the JSON form that protobuf.js reads, from the notation above. */
export function messages(definitions: { readonly [name: string]: MessageFields }) {
  return Object.fromEntries(Object.entries(definitions).map(([name, fields]) => [name, message(fields)]));
}

/** An RPC service: method → [request, response]. */
export function service(methods: { readonly [name: string]: readonly [request: string, response: string] }) {
  const entries = Object.entries(methods).map(([name, [requestType, responseType]]) => [
    name,
    { requestType, responseType },
  ]);
  return { methods: Object.fromEntries(entries) };
}

function message(fields: MessageFields) {
  const entries = Object.entries(fields).map(([name, notation]) => [name, field(notation)] as const);
  const alternatives = Object.keys(fields).filter((name) => fields[name]?.split(' ')[1] === 'one');
  return {
    fields: Object.fromEntries(entries),
    ...(alternatives.length > 0 && { oneofs: { selector: { oneof: alternatives } } }),
  };
}

function field(notation: string) {
  const [id, ...words] = notation.split(' ');
  const type = words.at(-1);
  if (words[0] === 'repeated') return { id: Number(id), type, rule: 'repeated' };
  if (words[0] === 'map') return { id: Number(id), type, keyType: 'string' };
  return { id: Number(id), type };
}
