import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** A regular expression as it stands in a program. */
export interface FoundPattern {
  file: string;
  line: number;
  /** Its source, without slashes and flags. */
  source: string;
  flags: string;
  /** Whether all of it stands there. A part that is only known when the program runs stands as `…` in `source`. */
  isWhole: boolean;
}

/** Every regular expression of TypeScript files: literals, `new RegExp(…)`, and the `pattern` of schemas. */
export function findPatterns(files: readonly string[]): FoundPattern[] {
  const sources = files.map((file) => {
    const text = readFileSync(file, 'utf8');
    return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  });
  return sources.flatMap(patternsOf);
}

const unknown = '…';

function patternsOf(source: ts.SourceFile): FoundPattern[] {
  const constants = constantsOf(source);
  const found: FoundPattern[] = [];
  const add = (node: ts.Node, pattern: string, flags: string) => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ file: source.fileName, line, source: pattern, flags, isWhole: !pattern.includes(unknown) });
  };
  const visit = (node: ts.Node) => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      add(node, node.text.slice(1, end), node.text.slice(end + 1));
    }
    const [first, second] = argumentsOfRegExp(node);
    if (first && !ts.isRegularExpressionLiteral(first)) {
      const flags = second && ts.isStringLiteralLike(second) ? second.text : '';
      add(node, textOf(first, constants), flags);
    }
    // Ajv compiles them with the flag u.
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'pattern')
      add(node, textOf(node.initializer, constants), 'u');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function argumentsOfRegExp(node: ts.Node): readonly ts.Expression[] {
  const makes = ts.isNewExpression(node) || ts.isCallExpression(node);
  return makes && node.expression.getText() === 'RegExp' ? (node.arguments ?? []) : [];
}

/** Texts that a file gives a name to. */
function constantsOf(source: ts.SourceFile): Map<string, ts.Expression> {
  const constants = new Map<string, ts.Expression>();
  const visit = (node: ts.Node) => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer)
      constants.set(node.name.text, node.initializer);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return constants;
}

function textOf(node: ts.Expression, constants: Map<string, ts.Expression>): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isRegularExpressionLiteral(node)) return node.text.slice(1, node.text.lastIndexOf('/'));
  if (ts.isTemplateExpression(node)) {
    const spans = node.templateSpans.map(
      ({ expression, literal }) => textOf(expression, constants) + literal.text,
    );
    return node.head.text + spans.join('');
  }
  if (ts.isPropertyAccessExpression(node) && node.name.text === 'source')
    return textOf(node.expression, constants);
  const named = ts.isIdentifier(node) ? constants.get(node.text) : undefined;
  return named ? textOf(named, new Map([...constants].filter(([, value]) => value !== named))) : unknown;
}
