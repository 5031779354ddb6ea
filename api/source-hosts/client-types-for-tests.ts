import { createRequire } from 'node:module';
import ts from 'typescript';

export type Json = Record<string, unknown>;

/** A method of a published client, as its declaration has it. */
export interface ClientMethod {
  parameters: { name: string; required: boolean; schema: Json }[];
  /** Schema of what its promise resolves with; undefined for nothing. */
  result: Json | undefined;
}

/** What a published client declares, as JSON Schemas: the shapes of a host's API that others keep. */
export interface ClientTypes {
  /** Methods by the `@request` of their comment, such as `GET:/repos/{owner}/{repo}`, where a generator wrote them. */
  byRequest(request: string): ClientMethod | undefined;
  /** The method of an exported class. */
  method(className: string, name: string): ClientMethod;
  /** What the schemas refer to, filled as they are made. */
  components: { schemas: Json };
}

/**
 * Reads the declarations of an installed package. Objects may have the declared fields and no others.
 *
 * @param rename what a field is called in the API
 */
export function readClientTypes(
  packageName: string,
  rename: (name: string) => string = (name) => name,
): ClientTypes {
  const file = createRequire(import.meta.url)
    .resolve(packageName)
    .replace(/\.m?js$/, '.d.ts');
  const program = ts.createProgram([file], { strict: true, types: [], lib: ['lib.es2022.d.ts'] });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  if (!source) throw new Error(`${packageName} has no declarations at ${file}`);
  const schemas: Json = {};
  const toSchema = createConverter(checker, schemas, rename);
  const toMethod = (signature: ts.Signature | undefined): ClientMethod => {
    const declaration = signature?.declaration;
    if (!declaration?.type) throw new Error('not a method that says what it gives');
    return {
      parameters: declaration.parameters.filter(ts.isParameter).map((parameter) => ({
        name: parameter.name.getText(),
        required: parameter.questionToken === undefined && parameter.initializer === undefined,
        schema: toSchema(checker.getTypeAtLocation(parameter)),
      })),
      result: resultOf(declaration.type, checker, toSchema),
    };
  };
  const requests = requestsIn(source);
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source) as ts.Symbol);
  return {
    components: { schemas },
    byRequest(request) {
      const node = requests.get(request);
      return node && toMethod(checker.getTypeAtLocation(node).getCallSignatures().at(-1));
    },
    method(className, name) {
      const symbol = exported.find((one) => one.name === className);
      const method = symbol && checker.getDeclaredTypeOfSymbol(symbol).getProperty(name);
      if (!method) throw new Error(`${packageName} has no ${className}.${name}`);
      return toMethod(checker.getTypeOfSymbol(method).getCallSignatures().at(-1));
    },
  };
}

/** `T` of `Promise<Response<T, …>>`. */
function resultOf(
  type: ts.TypeNode | ts.JSDocSignature['type'],
  checker: ts.TypeChecker,
  toSchema: (type: ts.Type) => Json,
): Json | undefined {
  let node: ts.TypeNode | undefined = type as ts.TypeNode;
  for (let depth = 0; depth < 2; depth += 1) {
    node = node && ts.isTypeReferenceNode(node) ? node.typeArguments?.[0] : undefined;
  }
  if (!node || node.kind === ts.SyntaxKind.VoidKeyword) return undefined;
  return toSchema(checker.getTypeFromTypeNode(node));
}

function requestsIn(source: ts.SourceFile): Map<string, ts.Node> {
  const found = new Map<string, ts.Node>();
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      const { comment } = tag;
      if (tag.tagName.text === 'request' && typeof comment === 'string') found.set(comment.trim(), node);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function createConverter(checker: ts.TypeChecker, schemas: Json, rename: (name: string) => string) {
  const names = new Map<ts.Type, string>();

  const orNull = (type: ts.UnionType, schema: Json): Json =>
    type.types.some((one) => one.flags & ts.TypeFlags.Null) ? { anyOf: [schema, { type: 'null' }] } : schema;

  const toObject = (type: ts.Type): Json => {
    const properties: Json = {};
    const required: string[] = [];
    for (const property of checker.getPropertiesOfType(type)) {
      const name = rename(property.name);
      properties[name] = toSchema(checker.getTypeOfSymbol(property));
      if ((property.flags & ts.SymbolFlags.Optional) === 0) required.push(name);
    }
    const values = checker.getIndexTypeOfType(type, ts.IndexKind.String);
    const isOpen = values !== undefined && Object.keys(properties).length === 0;
    return { type: 'object', properties, required, additionalProperties: isOpen ? toSchema(values) : false };
  };

  const toSchema = (type: ts.Type): Json => {
    const { flags } = type;
    if (flags & ts.TypeFlags.Boolean) return { type: 'boolean' };
    if (flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === 'true' };
    if (type.isUnion()) {
      const defined = checker.getNonNullableType(type);
      // That of an optional boolean is a boolean again, not true or false.
      if (defined.flags & ts.TypeFlags.Boolean) return orNull(type, { type: 'boolean' });
      const kinds = type.types.filter((one) => !(one.flags & ts.TypeFlags.Undefined)).map(toSchema);
      return kinds.length === 1 ? (kinds[0] as Json) : { anyOf: kinds };
    }
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (flags & ts.TypeFlags.StringLike) return { type: 'string' };
    if (flags & ts.TypeFlags.NumberLike) return { type: 'number' };
    if (flags & ts.TypeFlags.Null) return { type: 'null' };
    if (checker.isArrayType(type)) {
      const [items] = checker.getTypeArguments(type as ts.TypeReference);
      return { type: 'array', items: items ? toSchema(items) : {} };
    }
    if (!(flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) return {};
    let name = names.get(type);
    if (name === undefined) {
      // Noted before it is made: a type may have itself inside.
      name = `${type.aliasSymbol?.name ?? type.symbol?.name ?? 'Type'}-${names.size}`.replace(/\W+/g, '-');
      names.set(type, name);
      schemas[name] = toObject(type);
    }
    return { $ref: `#/components/schemas/${name}` };
  };
  return toSchema;
}
