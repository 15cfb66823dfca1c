/**
 * Label and field selectors in the text form of requests, as apimachinery's labels.Parse and fields.ParseSelector
 * read them.
 */
import type { KubeObject } from '../client/types.ts';
import { has, type JsonObject } from './json.ts';
import { badRequest } from './status.ts';

/** Whether a selector takes an object. */
export type Match = (object: KubeObject) => boolean;

type Labels = Readonly<Record<string, string>>;
/** One requirement on labels. */
type Requirement = (labels: Labels) => boolean;

const TOKEN = /\s*(?:(!=|==|=|!|,|\(|\)|>|<)|([^\s!=,()<>]+))/y;

interface Token {
  /** An operator or bracket. */
  readonly sign?: string;
  readonly word?: string;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) {
      if (text.slice(at).trim() === '') break;
      throw badRequest(`unable to parse requirement: found '${text.slice(at)}'`);
    }
    found.push(match[1] !== undefined ? { sign: match[1] } : { word: match[2] as string });
  }
  return found;
}

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Why a text is no label key (qualified name), or undefined. */
export function badLabelKey(key: string): string | undefined {
  const parts = key.split('/');
  const name = parts.pop() as string;
  if (parts.length > 1)
    return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
  if (parts.length === 1) {
    const prefix = parts[0] as string;
    if (prefix === '') return 'prefix part must be non-empty';
    if (prefix.length > 253) return 'prefix part must be no more than 253 bytes';
    if (!SUBDOMAIN.test(prefix))
      return "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
  }
  if (name === '') return 'name part must be non-empty';
  if (name.length > 63) return 'name part must be no more than 63 bytes';
  if (!NAME.test(name))
    return "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  return undefined;
}

/** Why a text is no label value, or undefined. */
export function badLabelValue(value: string): string | undefined {
  if (value.length > 63) return 'must be no more than 63 bytes';
  if (value !== '' && !NAME.test(value))
    return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
  return undefined;
}

const valueOf = (labels: Labels, key: string): string | undefined =>
  has(labels, key) ? labels[key] : undefined;

/** Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>3`; throws 400. */
export function parseLabelSelector(text: string): (labels: Labels) => boolean {
  const list = tokens(text);
  const needs: Requirement[] = [];
  let at = 0;
  const sign = (): string | undefined => list[at]?.sign;
  const fail = (wanted: string): never => {
    const found = list[at];
    throw badRequest(
      `unable to parse requirement: found '${found?.sign ?? found?.word ?? ''}', expected: ${wanted}`,
    );
  };
  const key = (): string => {
    const word = list[at]?.word;
    if (word === undefined) return fail("!, identifier, or 'end of string'");
    at++;
    const why = badLabelKey(word);
    if (why)
      throw badRequest(`unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(word)}: ${why}`);
    return word;
  };
  const value = (): string => {
    const word = list[at]?.word;
    if (word === undefined) return '';
    at++;
    const why = badLabelValue(word);
    if (why)
      throw badRequest(
        `unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(word)}: ${why}`,
      );
    return word;
  };
  const set = (): Set<string> => {
    if (sign() !== '(') fail('(');
    at++;
    const values = new Set<string>();
    for (;;) {
      values.add(value());
      if (sign() === ',') at++;
      else if (sign() === ')') break;
      else fail("',' or ')'");
    }
    at++;
    return values;
  };
  const requirement = (): Requirement => {
    if (sign() === '!') {
      at++;
      const name = key();
      return (labels) => !has(labels, name);
    }
    const name = key();
    const operator = list[at];
    if (operator === undefined || operator.sign === ',') return (labels) => has(labels, name);
    at++;
    switch (operator.sign ?? operator.word) {
      case '=':
      case '==': {
        const wanted = value();
        return (labels) => valueOf(labels, name) === wanted;
      }
      case '!=': {
        const unwanted = value();
        return (labels) => valueOf(labels, name) !== unwanted;
      }
      case 'in': {
        const values = set();
        return (labels) => has(labels, name) && values.has(labels[name] as string);
      }
      case 'notin': {
        const values = set();
        return (labels) => !has(labels, name) || !values.has(labels[name] as string);
      }
      case '>':
      case '<': {
        const bound = value();
        if (!/^-?\d+$/.test(bound))
          throw badRequest(
            `unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(bound)}: for 'Gt', 'Lt' operators, the value must be an integer`,
          );
        const more = operator.sign === '>';
        return (labels) => {
          const own = valueOf(labels, name);
          if (own === undefined || !/^-?\d+$/.test(own)) return false;
          return more ? Number(own) > Number(bound) : Number(own) < Number(bound);
        };
      }
      default:
        at--;
        return fail('in, notin, =, ==, !=, gt, lt');
    }
  };
  if (list.length > 0)
    for (;;) {
      needs.push(requirement());
      if (at >= list.length) break;
      if (sign() !== ',') fail("',' or 'end of string'");
      at++;
      if (at >= list.length) break;
    }
  return (labels) => needs.every((need) => need(labels));
}

const NONE: Labels = Object.freeze({});

export function labelMatch(text: string): Match {
  const match = parseLabelSelector(text);
  return (object) => match(object.metadata.labels ?? NONE);
}

/** One term of a field selector. */
export interface FieldTerm {
  readonly field: string;
  readonly value: string;
  readonly equal: boolean;
}

/** Splits `a=b,c!=d` with `\` escaping `,`, `=` and itself; throws 400. */
export function parseFieldSelector(text: string): FieldTerm[] {
  const terms: FieldTerm[] = [];
  let piece = '';
  const pieces: string[] = [];
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '\\') {
      piece += char + (text[++i] ?? '');
    } else if (char === ',') {
      pieces.push(piece);
      piece = '';
    } else piece += char;
  }
  pieces.push(piece);
  for (const one of pieces) {
    if (one === '') continue;
    const match = /^((?:[^\\=!]|\\.)*?)(!=|==|=)((?:[^\\]|\\.)*)$/s.exec(one);
    if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${one}'`);
    terms.push({
      field: match[1] as string,
      equal: match[2] !== '!=',
      value: (match[3] as string).replace(/\\(.)/gs, '$1'),
    });
  }
  return terms;
}

/** @param selectable the fields of the resource that may be selected by, besides name and namespace */
export function fieldMatch(
  text: string,
  selectable: Readonly<Record<string, (object: KubeObject) => string>>,
): Match {
  const needs = parseFieldSelector(text).map((term): Match => {
    const read =
      term.field === 'metadata.name'
        ? (object: KubeObject) => object.metadata.name
        : term.field === 'metadata.namespace'
          ? (object: KubeObject) => object.metadata.namespace ?? ''
          : has(selectable, term.field)
            ? selectable[term.field]
            : undefined;
    if (!read)
      throw badRequest(
        Object.keys(selectable).length > 0
          ? `field label not supported: ${term.field}`
          : `${JSON.stringify(term.field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    return (object) => (read(object) === term.value) === term.equal;
  });
  return (object) => needs.every((need) => need(object));
}

/** Both selectors of a request as one; undefined when it takes everything. */
export function matcher(
  options: { labelSelector?: string | undefined; fieldSelector?: string | undefined },
  selectable: Readonly<Record<string, (object: KubeObject) => string>>,
): Match | undefined {
  const all: Match[] = [];
  if (options.labelSelector?.trim()) all.push(labelMatch(options.labelSelector));
  if (options.fieldSelector?.trim()) all.push(fieldMatch(options.fieldSelector, selectable));
  if (all.length === 0) return undefined;
  return (object) => all.every((match) => match(object));
}

/** A metav1.LabelSelector on labels; one that is absent selects nothing. */
export function matchesSelector(
  selector: JsonObject | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (!selector) return false;
  const own = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  for (const [key, value] of Object.entries(selector['matchLabels'] ?? {}))
    if (own(key) !== value) return false;
  for (const { key, operator, values = [] } of selector['matchExpressions'] ?? []) {
    const value = own(key);
    if (operator === 'In' && (value === undefined || !values.includes(value))) return false;
    if (operator === 'NotIn' && value !== undefined && values.includes(value)) return false;
    if (operator === 'Exists' && value === undefined) return false;
    if (operator === 'DoesNotExist' && value !== undefined) return false;
  }
  return true;
}
