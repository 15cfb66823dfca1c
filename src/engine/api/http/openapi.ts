/** /openapi/v2 and /openapi/v3: made when first asked for, and again when custom resources change. */
import { createHash } from 'node:crypto';
import type { JsonObject } from '../json.ts';
import { gnostic } from '../openapi/gnostic.ts';
import { pathsOf } from '../openapi/paths.ts';
import { Schemas, type Dialect } from '../openapi/schemas.ts';
import type { Catalog, Served } from '../resources/catalog.ts';
import { mediaTypes } from './negotiate.ts';
import { VERSION } from './version.ts';

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** What answers are called: `@` is not allowed in a media type (RFC 6838), and old clients mind. */
const PROTOBUF_DOT = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

interface Document {
  readonly body: string | Buffer;
  readonly type: string;
}

const kept = new WeakMap<Catalog, { generation: number; documents: Map<string, Document | undefined> }>();

const INFO = { title: 'Kubernetes', version: VERSION.gitVersion };

function build(dialect: Dialect, catalog: Catalog, served: readonly Served[]) {
  const schemas = new Schemas(dialect, catalog);
  const paths: JsonObject = {};
  for (const one of served) {
    const object = one.type ? schemas.add(one.type) : schemas.addCustom(one);
    const list = schemas.addList(one, object);
    const ref = { object: schemas.ref(object), list: schemas.ref(list) };
    for (const [path, item] of pathsOf(dialect, one, ref)) paths[path] = item;
  }
  schemas.add('meta.v1.DeleteOptions');
  schemas.add('meta.v1.Status');
  return { paths, schemas: schemas.made };
}

const rootOf = (served: Served): string =>
  served.group ? `apis/${served.group}/${served.version}` : `api/${served.version}`;

function make(catalog: Catalog, path: string, protobuf: boolean): Document | undefined {
  const all = [...catalog.allServed()];
  if (path === '/openapi/v2') {
    const { paths, schemas } = build('v2', catalog, all);
    const document = { swagger: '2.0', info: INFO, paths, definitions: schemas };
    return protobuf
      ? { body: gnostic(document), type: PROTOBUF_DOT }
      : { body: JSON.stringify(document), type: 'application/json' };
  }
  if (path === '/openapi/v3') {
    const paths: JsonObject = {};
    for (const root of new Set(all.map(rootOf))) {
      const hash = createHash('sha256')
        .update(`${root} ${VERSION.gitVersion} ${catalog.generation}`)
        .digest('hex')
        .toUpperCase();
      paths[root] = { serverRelativeURL: `/openapi/v3/${root}?hash=${hash}` };
    }
    return { body: JSON.stringify({ paths }), type: 'application/json' };
  }
  const root = path.slice('/openapi/v3/'.length);
  const mine = all.filter((served) => rootOf(served) === root);
  if (!path.startsWith('/openapi/v3/') || mine.length === 0) return undefined;
  const { paths, schemas } = build('v3', catalog, mine);
  return {
    body: JSON.stringify({ openapi: '3.0.0', info: INFO, paths, components: { schemas } }),
    type: 'application/json',
  };
}

/** @returns undefined when the path is no such document */
export function openApi(catalog: Catalog, path: string, accept: string | undefined): Document | undefined {
  if (!path.startsWith('/openapi/')) return undefined;
  let state = kept.get(catalog);
  if (state?.generation !== catalog.generation)
    kept.set(catalog, (state = { generation: catalog.generation, documents: new Map() }));
  const first = mediaTypes(accept).find(({ type }) =>
    [PROTOBUF, PROTOBUF_DOT, 'application/json', '*/*'].includes(type),
  );
  const protobuf = path === '/openapi/v2' && (first?.type === PROTOBUF || first?.type === PROTOBUF_DOT);
  const key = `${path} ${protobuf}`;
  if (!state.documents.has(key)) state.documents.set(key, make(catalog, path, protobuf));
  return state.documents.get(key);
}
