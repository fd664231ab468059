/**
 * Reads source files into what the fence judges: their imports (of every kind), the identifiers that
 * they mention and their opening comment. Knows the syntax, and no rule.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export type ImportKind = 'static' | 'type' | 'dynamic' | 'url' | 'glob';

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path from the repository's root, without a query; undefined for a package. */
  readonly target: string | undefined;
  readonly kind: ImportKind;
  readonly line: number;
}

export interface Mention {
  /** `fetch`, or with its object `navigator.gpu`, `device.createBuffer`. */
  readonly name: string;
  readonly isCall: boolean;
  readonly line: number;
}

/** Stands for an import whose target only the running program knows. */
export const UNREADABLE = '(not a literal)';

const ALIASES: readonly (readonly [string, string])[] = [
  ['$lib', 'src/lib'],
  ['$workers', 'workers'],
  ['$models', 'models'],
];

/** All files under `folders` with one of `extensions`, in a fixed order. */
export function readTree(
  root: string,
  folders: readonly string[],
  extensions: RegExp,
): SourceFile[] {
  const files: SourceFile[] = [];
  const visit = (path: string) => {
    const status = statSync(posix.join(root, path), { throwIfNoEntry: false });
    if (status?.isDirectory()) {
      for (const name of readdirSync(posix.join(root, path)).sort())
        if (!SKIPPED_FOLDERS.has(name)) visit(posix.join(path, name));
    } else if (status && extensions.test(path)) {
      files.push({ path, text: readFileSync(posix.join(root, path), 'utf8') });
    }
  };
  folders.forEach(visit);
  return files;
}

const SKIPPED_FOLDERS = new Set(['node_modules', 'out', 'goldens', '__pycache__', 'peers']);

export function resolveSpecifier(specifier: string, fromPath: string): string | undefined {
  const bare = specifier.replace(/[?#].*$/, '');
  if (bare.startsWith('./') || bare.startsWith('../') || bare === '.' || bare === '..')
    return posix.normalize(posix.join(posix.dirname(fromPath), bare));
  if (bare.startsWith('/')) return posix.normalize(bare.slice(1));
  for (const [alias, folder] of ALIASES)
    if (bare === alias || bare.startsWith(`${alias}/`))
      return posix.normalize(folder + bare.slice(alias.length));
  return undefined;
}

/** The parts of a file that are TypeScript; everything else is blanked so that lines stay true. */
function scriptParts({ path, text }: SourceFile): string {
  if (!path.endsWith('.svelte')) return text;
  const blank = (part: string) => part.replace(/[^\n]/g, ' ');
  let scripts = '';
  let end = 0;
  for (const match of text.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)) {
    const start = match.index + match[0].indexOf('>') + 1;
    scripts += blank(text.slice(end, start)) + match[1];
    end = start + match[1].length;
  }
  return scripts + blank(text.slice(end));
}

function parse(file: SourceFile): ts.SourceFile {
  return ts.createSourceFile(file.path, scriptParts(file), ts.ScriptTarget.Latest, true);
}

const isCode = (path: string) => /\.(ts|js|mjs|svelte)$/.test(path);

function lineOf(node: ts.Node, source: ts.SourceFile): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
}

/** Imports, re-exports, `import type`, `import('x').Y`, `import()`, `new URL(.., import.meta.url)`, globs. */
export function readImports(file: SourceFile): Import[] {
  if (!isCode(file.path)) return [];
  const found: Import[] = [];
  const add = (specifier: string, kind: ImportKind, line: number) =>
    found.push({ specifier, kind, line, target: resolveSpecifier(specifier, file.path) });
  const literal = (node: ts.Node | undefined) =>
    node && ts.isStringLiteralLike(node) ? node.text : UNREADABLE;
  const source = parse(file);

  const visit = (node: ts.Node): void => {
    const line = lineOf(node, source);
    if (ts.isImportDeclaration(node))
      add(
        literal(node.moduleSpecifier),
        node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ? 'type' : 'static',
        line,
      );
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier)
      add(literal(node.moduleSpecifier), node.isTypeOnly ? 'type' : 'static', line);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(literal(node.argument.literal), 'type', line);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(literal(node.arguments[0]), 'dynamic', line);
    else if (ts.isCallExpression(node) && node.expression.getText(source) === 'import.meta.glob') {
      const [argument] = node.arguments;
      const patterns = argument && ts.isArrayLiteralExpression(argument) ? argument.elements : [];
      for (const pattern of patterns.length > 0 ? patterns : [argument])
        add(literal(pattern), 'glob', line);
    } else if (
      ts.isNewExpression(node) &&
      node.expression.getText(source) === 'URL' &&
      node.arguments?.[1]?.getText(source) === 'import.meta.url'
    )
      add(literal(node.arguments[0]), 'url', line);
    ts.forEachChild(node, visit);
  };
  visit(source);

  if (file.path.endsWith('.svelte')) {
    // Markup can import too: {#await import('./Chart.svelte')}.
    const markup = file.text.replace(/<script\b[\s\S]*?<\/script>/g, (script) =>
      script.replace(/[^\n]/g, ' '),
    );
    for (const match of markup.matchAll(/\bimport\(\s*(?:(['"`])([^'"`$]+)\1)?/g))
      add(match[2] ?? UNREADABLE, 'dynamic', markup.slice(0, match.index).split('\n').length);
  }
  return found;
}

/** Identifiers outside comments and strings that are read, called or named as a type; not declarations. */
export function readMentions(file: SourceFile): Mention[] {
  if (!isCode(file.path)) return [];
  const source = parse(file);
  const found: Mention[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node)) {
      const object = node.expression;
      const owner = ts.isIdentifier(object)
        ? object.text
        : ts.isPropertyAccessExpression(object)
          ? object.name.text
          : '';
      found.push({
        name: `${owner}.${node.name.text}`,
        isCall: ts.isCallExpression(node.parent) && node.parent.expression === node,
        line: lineOf(node, source),
      });
      visit(object);
      return;
    }
    if (ts.isIdentifier(node) && !isNameOfDeclaration(node))
      found.push({
        name: node.text,
        isCall: ts.isCallExpression(node.parent) && node.parent.expression === node,
        line: lineOf(node, source),
      });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isNameOfDeclaration(node: ts.Identifier): boolean {
  const parent = node.parent;
  const declares =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent) ||
    ts.isImportSpecifier(parent) ||
    ts.isExportSpecifier(parent) ||
    ts.isImportClause(parent);
  return (
    declares && [parent.name, (parent as { propertyName?: ts.Node }).propertyName].includes(node)
  );
}

/** Comments before the first line of code (in Svelte also those that open the script). */
export function readHeader({ path, text }: SourceFile): string {
  const opening = /^(?:\s*(?:\/\*[\s\S]*?\*\/|\/\/[^\n]*|<!--[\s\S]*?-->))*/;
  const header = opening.exec(text)?.[0] ?? '';
  if (!path.endsWith('.svelte')) return header;
  const script = /<script\b[^>]*>([\s\S]*?)<\/script>/.exec(text)?.[1] ?? '';
  return header + (opening.exec(script)?.[0] ?? '');
}
