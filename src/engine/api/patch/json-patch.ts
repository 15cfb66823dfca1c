/** JSON patch, RFC 6902, with JSON pointers, RFC 6901. */
import { ApiError } from '../../client/types.ts';
import { copy, equal, has, isObject, type Json } from '../json.ts';
import { badRequest } from '../status.ts';

/** Upstream's limit of operations in one patch. */
const MOST_OPERATIONS = 10_000;
/** What `copy` operations may add together, in bytes of JSON; each can double a document. */
const MOST_COPIED = 3 * 1024 * 1024;

const unprocessable = (why: string): ApiError =>
  new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `the server rejected our request due to an error in our request: ${why}`,
    details: {},
  });

function pointer(text: unknown): string[] {
  if (typeof text !== 'string') throw badRequest('a JSON patch operation has no "path"');
  if (text === '') return [];
  if (!text.startsWith('/')) throw unprocessable(`the path ${JSON.stringify(text)} does not begin with "/"`);
  const parts = text
    .slice(1)
    .split('/')
    .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
  if (parts.includes('__proto__')) throw unprocessable('the field name "__proto__" is not allowed');
  return parts;
}

const missing = (path: readonly string[]): never => {
  throw unprocessable(`there is no value at the path "/${path.join('/')}"`);
};

function index(part: string, length: number): number {
  if (!/^(0|[1-9]\d{0,9})$/.test(part) || Number(part) >= length) return -1;
  return Number(part);
}

function read(document: Json, path: readonly string[]): Json {
  let at: Json = document;
  for (const part of path) {
    if (Array.isArray(at)) {
      const i = index(part, at.length);
      if (i < 0) return missing(path);
      at = at[i];
    } else if (isObject(at) && has(at, part)) at = at[part];
    else return missing(path);
  }
  return at;
}

/** Changes the document in place; a path of '' replaces it. Returns the document. */
function write(
  document: Json,
  path: readonly string[],
  act: 'add' | 'remove' | 'replace',
  value?: Json,
): Json {
  const last = path.at(-1);
  if (last === undefined) return act === 'remove' ? null : value;
  const parent: Json = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    const i =
      act === 'add' && last === '-' ? parent.length : index(last, parent.length + (act === 'add' ? 1 : 0));
    if (i < 0) missing(path);
    if (act === 'add') parent.splice(i, 0, value);
    else if (act === 'remove') parent.splice(i, 1);
    else parent[i] = value;
  } else if (isObject(parent)) {
    if (act !== 'add' && !has(parent, last)) missing(path);
    if (act === 'remove') delete parent[last];
    else parent[last] = value;
  } else missing(path);
  return document;
}

/** A new document; the given one is not changed. Throws 400 for what is no patch, 422 for one that does not fit. */
export function jsonPatch(document: Json, patch: unknown): Json {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list of operations');
  if (patch.length > MOST_OPERATIONS)
    throw new ApiError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `The allowed maximum operations in a JSON patch is ${MOST_OPERATIONS}, got ${patch.length}`,
    });
  let out: Json = copy(document);
  let copied = 0;
  for (const operation of patch as unknown[]) {
    if (!isObject(operation)) throw badRequest('an operation of a JSON patch is not an object');
    const path = pointer(operation['path']);
    const { value } = operation;
    switch (operation['op']) {
      case 'add':
      case 'replace':
        out = write(out, path, operation['op'], copy(value));
        break;
      case 'remove':
        out = write(out, path, 'remove');
        break;
      case 'test': {
        const found: Json = has(operation, 'value') && value === null ? lenient(out, path) : read(out, path);
        if (!equal(found ?? null, value ?? null))
          throw unprocessable(`testing path ${String(operation['path'])} failed`);
        break;
      }
      case 'move':
      case 'copy': {
        const from = pointer(operation['from']);
        if (
          operation['op'] === 'move' &&
          path.length > from.length &&
          from.every((part, i) => part === path[i])
        )
          throw unprocessable('a value cannot be moved into itself');
        const moved: Json = copy(read(out, from));
        if (operation['op'] === 'copy') {
          copied += JSON.stringify(moved).length;
          if (copied > MOST_COPIED) throw unprocessable(`copy operations add more than ${MOST_COPIED} bytes`);
        } else out = write(out, from, 'remove');
        out = write(out, path, 'add', moved);
        break;
      }
      default:
        throw badRequest(`Unexpected kind: ${String(operation['op'])}`);
    }
  }
  return out;
}

/** `test` against null is met by an absent value too, as in the library that upstream uses. */
function lenient(document: Json, path: readonly string[]): Json {
  try {
    return read(document, path);
  } catch {
    return null;
  }
}
