/**
 * The fields of the built-in types, read from fields.txt (made by scripts/engine-fields.ts) when first asked for.
 * A line is `name type marks`, `!` after the name says required, types are listed with `[]`, mapped with `{}`;
 * `*` marks pointers of Go, `#` the number in protobuf messages.
 */
import { readFileSync } from 'node:fs';

export type Scalar =
  | 'string'
  | 'bool'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'quantity'
  | 'intorstring'
  | 'time'
  | 'microtime'
  | 'duration'
  | 'any';

export type FieldType =
  | { readonly is: 'scalar'; readonly scalar: Scalar; readonly values?: readonly string[] }
  | { readonly is: 'struct'; readonly name: string }
  | { readonly is: 'list'; readonly of: FieldType }
  | { readonly is: 'map'; readonly of: FieldType };

export interface FieldSpec {
  readonly name: string;
  readonly required: boolean;
  readonly type: FieldType;
  /** Strategic merge patch merges the list by `mergeKey`, or the set of scalars. */
  readonly merge: boolean;
  /** Strategic merge patch drops the keys that a `$retainKeys` list does not name. */
  readonly retainKeys: boolean;
  readonly mergeKey: string | undefined;
  /** Server-side apply: how a list is owned; undefined is atomic, as for an unmarked list. */
  readonly list: 'atomic' | 'set' | 'map' | undefined;
  readonly listKeys: readonly string[];
  /** Server-side apply: owned as a whole. */
  readonly atomic: boolean;
  /** Go holds a pointer: its zero value differs from its absence. */
  readonly pointer: boolean;
  /** Field numbers in protobuf, from the outermost message inwards; more than one for inlined structs. */
  readonly proto: readonly number[];
}

export interface TypeSpec {
  readonly name: string;
  readonly atomic: boolean;
  readonly fields: ReadonlyMap<string, FieldSpec>;
}

function readType(text: string): FieldType {
  if (text.startsWith('[]')) return { is: 'list', of: readType(text.slice(2)) };
  if (text.startsWith('{}')) return { is: 'map', of: readType(text.slice(2)) };
  if (text.startsWith('enum('))
    return { is: 'scalar', scalar: 'string', values: text.slice(5, -1).split('|') };
  return text.includes('.') ? { is: 'struct', name: text } : { is: 'scalar', scalar: text as Scalar };
}

function readField(line: string): FieldSpec {
  const [name = '', type = 'any', ...marks] = line.split(' ');
  const value = (key: string) => marks.find((mark) => mark.startsWith(`${key}=`))?.slice(key.length + 1);
  const patch = value('patch')?.split(',') ?? [];
  const [list, ...listKeys] = value('list')?.split(':') ?? [];
  return {
    name: name.replace(/!$/, ''),
    required: name.endsWith('!'),
    type: readType(type),
    merge: patch.includes('merge'),
    retainKeys: patch.includes('retainKeys'),
    mergeKey: value('key'),
    list: list as FieldSpec['list'],
    listKeys,
    atomic: marks.includes('atomic'),
    pointer: marks.includes('*'),
    proto: (marks.find((mark) => mark.startsWith('#'))?.slice(1) ?? '')
      .split('.')
      .filter((number) => number !== '')
      .map(Number),
  };
}

/** Type name -> its lines; parsed one by one, because a request needs few of the 500. */
let unread: Map<string, string> | undefined;
const read = new Map<string, TypeSpec>();

function lines(): Map<string, string> {
  if (!unread) {
    unread = new Map();
    const text = readFileSync(new URL('./fields.txt', import.meta.url), 'utf8');
    for (const block of text.split(/\n(?! )/)) {
      const head = block.split('\n', 1)[0]?.split(' ')[0];
      if (head) unread.set(head, block);
    }
  }
  return unread;
}

/** All type names. */
export const typeNames = (): string[] => [...lines().keys()];

/** @throws Error for a name that is not in the table: a mistake of ours */
export function typeSpec(name: string): TypeSpec {
  const known = read.get(name);
  if (known) return known;
  const block = lines().get(name);
  if (block === undefined) throw new Error(`no type ${name} in fields.txt`);
  const [head = '', ...rest] = block.split('\n');
  const spec: TypeSpec = {
    name,
    atomic: head.endsWith(' atomic'),
    fields: new Map(
      rest
        .filter((line) => line !== '')
        .map((line) => readField(line.slice(1)))
        .map((field) => [field.name, field]),
    ),
  };
  read.set(name, spec);
  return spec;
}
