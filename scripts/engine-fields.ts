/**
 * Writes the engine's table of fields from the Go types of Kubernetes: names, types, list and patch semantics.
 *
 *     npx tsx scripts/engine-fields.ts FOLDER >src/engine/api/schema/fields.txt
 *
 * FOLDER holds the Go modules k8s.io/{api,apimachinery,apiextensions-apiserver,kube-aggregator} (`go mod download`).
 * Facts only: no descriptions are taken over.
 */
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { BUILT_IN } from '../src/engine/api/resources/table.ts';

const folder = process.argv[2];
if (!folder) throw new Error('usage: engine-fields.ts FOLDER');

interface Field {
  name: string;
  type: string;
  inline: boolean;
  required: boolean;
  /** Number in protobuf messages, with the numbers of the messages around it for inlined structs. */
  proto: string;
  /** Told apart from its zero value. */
  pointer: boolean;
  marks: string[];
}
interface GoType {
  fields?: Field[];
  alias?: string;
  values: string[];
  isEnum: boolean;
  marks: string[];
}

const types = new Map<string, GoType>();
const module = (name: string): string => {
  const found = readdirSync(folder).find((entry) => entry.startsWith(`${name}@`));
  if (!found) throw new Error(`no module ${name}`);
  return join(folder, found);
};

/** Go package path -> our prefix. */
const IMPORTS: Record<string, string> = {
  'k8s.io/apimachinery/pkg/apis/meta/v1': 'meta.v1',
  'k8s.io/apimachinery/pkg/api/resource': 'RESOURCE',
  'k8s.io/apimachinery/pkg/util/intstr': 'INTSTR',
  'k8s.io/apimachinery/pkg/runtime': 'RUNTIME',
  'k8s.io/apimachinery/pkg/types': 'TYPES',
};
const SCALARS: Record<string, string> = {
  string: 'string',
  bool: 'bool',
  int: 'int32',
  int32: 'int32',
  int64: 'int64',
  uint32: 'int32',
  float64: 'double',
  '[]byte': 'bytes',
  'RESOURCE.Quantity': 'quantity',
  'INTSTR.IntOrString': 'intorstring',
  'RUNTIME.RawExtension': 'any',
  'RUNTIME.Object': 'any',
  'TYPES.UID': 'string',
  'TYPES.NodeName': 'string',
  'TYPES.NamespacedName': 'string',
  'meta.v1.Time': 'time',
  'meta.v1.MicroTime': 'microtime',
  'meta.v1.Duration': 'duration',
  'meta.v1.FieldsV1': 'any',
  'apiextensions.v1.JSON': 'any',
  'apiextensions.v1.JSONSchemaPropsOrArray': 'any',
  'apiextensions.v1.JSONSchemaPropsOrBool': 'any',
  'apiextensions.v1.JSONSchemaPropsOrStringArray': 'any',
};

function readPackage(path: string, prefix: string): void {
  const files = readdirSync(path).filter(
    (file) => /^types.*\.go$/.test(file) || ['well_known_labels.go', 'group_version.go'].includes(file),
  );
  for (const file of files) readGo(readFileSync(join(path, file), 'utf8'), prefix);
}

function readGo(source: string, prefix: string): void {
  const imports = new Map<string, string>();
  for (const [, alias, path] of source.matchAll(/^(?:import\s+|\s+)(?:(\w+)\s+)?"(k8s\.io\/[^"]+)"/gm)) {
    const known =
      IMPORTS[path as string] ??
      /^k8s\.io\/api\/(\w+)\/(\w+)$/
        .exec(path as string)
        ?.slice(1)
        .join('.');
    if (known) imports.set(alias ?? (path as string).split('/').pop()!, known);
  }
  const resolve = (go: string): string => {
    go = go.trim().replace(/^\*/, '');
    if (go === '[]byte') return 'bytes';
    if (go.startsWith('[]')) return `[]${resolve(go.slice(2))}`;
    const map = /^map\[([\w.]+)\](.+)$/.exec(go);
    if (map) return `{}${resolve(map[2] as string)}`;
    const [left, right] = go.split('.');
    const full =
      right === undefined
        ? SCALARS[go]
          ? go
          : `${prefix}.${go}`
        : `${imports.get(left as string) ?? left}.${right}`;
    return SCALARS[full] ?? full;
  };
  const lines = source.split('\n');
  let comments: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (/^\s*\/\//.test(line)) {
      comments.push(line.trim().slice(2).trim());
      continue;
    }
    const struct = /^type (\w+) struct ?\{(\})?/.exec(line);
    const alias = /^type (\w+) (?!struct|interface)(\S.*)$/.exec(line);
    const marks = comments.filter((comment) => comment.startsWith('+'));
    if (struct) {
      const fields: Field[] = [];
      let notes: string[] = [];
      while (!struct[2] && !/^\}/.test(lines[++i] as string)) {
        const inner = (lines[i] as string).trim();
        if (inner.startsWith('//')) {
          notes.push(inner.slice(2).trim());
          continue;
        }
        const match = /^(?:(\w+)\s+)?(\S+)\s+`(.*)`/.exec(inner);
        if (match) {
          const json = /json:"([^"]*)"/.exec(match[3] as string)?.[1] ?? '';
          const [name = '', ...options] = json.split(',');
          const inline = options.includes('inline') || (!name && !match[1]);
          const tag = (key: string) => new RegExp(`${key}:"([^"]*)"`).exec(match[3] as string)?.[1];
          const note = (key: string) => notes.find((n) => n.startsWith(`+${key}=`))?.split('=')[1];
          const extra: string[] = [];
          const strategy = tag('patchStrategy') ?? note('patchStrategy');
          if (strategy) extra.push(`patch=${strategy}`);
          const mergeKey = tag('patchMergeKey') ?? note('patchMergeKey');
          if (mergeKey) extra.push(`key=${mergeKey}`);
          const list = note('listType');
          const keys = notes.filter((n) => n.startsWith('+listMapKey=')).map((n) => n.split('=')[1]);
          if (list) extra.push(`list=${list}${keys.length ? `:${keys.join(':')}` : ''}`);
          if (note('mapType') === 'atomic' || note('structType') === 'atomic') extra.push('atomic');
          if (name !== '-' && (name || inline))
            fields.push({
              name,
              type: resolve(match[2] as string),
              inline,
              proto: /protobuf:"\w+,(\d+)/.exec(match[3] as string)?.[1] ?? '',
              pointer: (match[2] as string).startsWith('*'),
              required: !options.includes('omitempty') && !notes.some((n) => n.startsWith('+optional')),
              marks: extra,
            });
        }
        if (inner !== '') notes = [];
      }
      types.set(`${prefix}.${struct[1]}`, { fields, values: [], isEnum: false, marks });
    } else if (alias) {
      const name = `${prefix}.${alias[1]}`;
      const old = types.get(name);
      types.set(name, {
        alias: resolve((alias[2] as string).replace(/\s*\/\/.*/, '').replace(/^=\s*/, '')),
        values: old?.values ?? [],
        isEnum: marks.some((mark) => mark === '+enum'),
        marks,
      });
    } else {
      const constant = /^\s+\w+\s+(\w+)\s*=\s*"([^"]*)"/.exec(line);
      if (constant) {
        const name = `${prefix}.${constant[1]}`;
        const type = types.get(name) ?? { values: [], isEnum: false, marks: [] };
        type.values.push(constant[2] as string);
        types.set(name, type);
      }
    }
    if (line.trim() !== '') comments = [];
    else if (comments.length && !marks.length) comments = [];
  }
}

readPackage(join(module('apimachinery'), 'pkg/apis/meta/v1'), 'meta.v1');
readPackage(join(module('apiextensions-apiserver'), 'pkg/apis/apiextensions/v1'), 'apiextensions.v1');
readPackage(join(module('kube-aggregator'), 'pkg/apis/apiregistration/v1'), 'apiregistration.v1');
for (const [group, version] of [
  ['core', 'v1'],
  ['apps', 'v1'],
  ['batch', 'v1'],
  ['autoscaling', 'v1'],
  ['autoscaling', 'v2'],
  ['policy', 'v1'],
  ['networking', 'v1'],
  ['discovery', 'v1'],
  ['rbac', 'v1'],
  ['storage', 'v1'],
  ['scheduling', 'v1'],
  ['coordination', 'v1'],
  ['events', 'v1'],
  ['node', 'v1'],
  ['certificates', 'v1'],
  ['admissionregistration', 'v1'],
  ['authentication', 'v1'],
  ['authorization', 'v1'],
] as const) {
  const path = join(module('api'), group, version);
  if (existsSync(path)) readPackage(path, `${group}.${version}`);
}

/** Aliases down to what JSON shows; enums keep their values. */
function settled(type: string): string {
  if (type.startsWith('[]')) return `[]${settled(type.slice(2))}`;
  if (type.startsWith('{}')) return `{}${settled(type.slice(2))}`;
  const found = types.get(type);
  if (!found?.alias) return type;
  const inner = settled(found.alias);
  if (inner === 'string' && found.isEnum && found.values.length > 0)
    return `enum(${[...new Set(found.values)].sort().join('|')})`;
  return inner;
}

function fieldsOf(type: string, seen = new Set<string>(), around = ''): Field[] {
  if (seen.has(type)) return [];
  seen.add(type);
  return (types.get(type)?.fields ?? []).flatMap((field) => {
    const proto = around && field.proto ? `${around}.${field.proto}` : around || field.proto;
    if (!field.inline || field.name) return [{ ...field, proto }];
    // An inlined struct without a number (TypeMeta) does not travel in the message.
    return fieldsOf(field.type, seen, proto).map((inner) => (proto ? inner : { ...inner, proto: '' }));
  });
}

const wanted: string[] = [
  ...BUILT_IN.flatMap((resource) => [resource.type, ...resource.otherVersions.map((other) => other.type)]),
  'meta.v1.DeleteOptions',
  'meta.v1.Status',
  'meta.v1.ListMeta',
  'policy.v1.Eviction',
  'autoscaling.v1.Scale',
  'authentication.v1.TokenRequest',
].filter((type): type is string => type !== undefined);
const done = new Set<string>();
const out: string[] = [];
for (let type = wanted.shift(); type !== undefined; type = wanted.shift()) {
  if (done.has(type)) continue;
  done.add(type);
  const found = types.get(type);
  if (!found?.fields) throw new Error(`no struct ${type}`);
  const atomic = found.marks.some((mark) => mark === '+structType=atomic' || mark === '+mapType=atomic');
  const lines: string[] = [];
  for (const field of fieldsOf(type)) {
    const shown = settled(field.type);
    const bare = shown.replace(/^(\[\]|\{\})+/, '');
    if (bare.includes('.') && !bare.startsWith('enum(')) wanted.push(bare);
    const marks = [
      ...field.marks,
      ...(field.pointer ? ['*'] : []),
      ...(field.proto ? [`#${field.proto}`] : []),
    ];
    lines.push(` ${field.name}${field.required ? '!' : ''} ${[shown, ...marks].join(' ')}`);
  }
  out.push([`${type}${atomic ? ' atomic' : ''}`, ...lines].join('\n'));
}
process.stdout.write(`${out.sort().join('\n')}\n`);
