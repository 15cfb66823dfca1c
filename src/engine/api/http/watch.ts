/** Watches over HTTP: a line of JSON for each change (API concepts, "Efficient detection of changes"). */
import type { KubeObject } from '../../client/types.ts';
import type { Registry } from '../registry.ts';
import type { Served } from '../resources/catalog.ts';
import { apiVersionOf, keyOf } from '../resources/resource.ts';
import { expired, statusObject } from '../status.ts';
import type { StoredChange } from '../store.ts';
import { seenBy } from '../view.ts';
import { setWarnings } from './answer.ts';
import { flag, numberOf, type Exchange } from './request.ts';
import { objectText, tableText, type Shape } from './shape.ts';

/** Between bookmarks, as upstream's watch cache sends them, in ms. */
const BOOKMARK_EVERY = 60_000;
/** Without timeoutSeconds a watch ends after 30 to 60 minutes (--min-request-timeout). */
const LONGEST = 1_800;
/** A client that does not read is let go when this many bytes wait for it. */
const MOST_WAITING = 64 * 1024 * 1024;

interface Wanted {
  readonly namespace: string | undefined;
  /** Only this object, for watches of one name. */
  readonly name: string | undefined;
  readonly match: ((object: KubeObject) => boolean) | undefined;
  readonly version: number | undefined;
  readonly shape: Shape;
}

export function serveWatch(exchange: Exchange, registry: Registry, served: Served, wanted: Wanted): void {
  const { response, query } = exchange;
  const { store } = registry;
  const key = keyOf(served.resource);
  const takes = (object: KubeObject): boolean =>
    (wanted.namespace === undefined || object.metadata.namespace === wanted.namespace) &&
    (wanted.name === undefined || object.metadata.name === wanted.name) &&
    (!wanted.match || wanted.match(object));
  let tables = 0;
  const line = (type: string, text: string): void => {
    response.write(`{"type":"${type}","object":${text}}\n`);
    if (response.writableLength > MOST_WAITING) response.destroy();
  };
  const text = (object: KubeObject): string =>
    wanted.shape.form === 'table'
      ? tableText(
          served,
          [object],
          { resourceVersion: object.metadata.resourceVersion },
          wanted.shape,
          tables++ === 0,
        )
      : objectText(served, object, wanted.shape);
  const tell = (change: StoredChange): void => {
    const seen = seenBy(change, takes);
    if (seen) line(seen.type, text(seen.object));
  };

  setWarnings(response, exchange.warnings);
  response.writeHead(200, {
    'Content-Type':
      wanted.shape.form === 'object'
        ? 'application/json'
        : `application/json;as=${wanted.shape.form === 'table' ? 'Table' : 'PartialObjectMetadata'};g=meta.k8s.io;v=${wanted.shape.version}`,
    'Cache-Control': 'no-cache, private',
  });
  response.flushHeaders();

  const bookmarks = flag(query, 'allowWatchBookmarks');
  const bookmark = (annotations?: Record<string, string>): void => {
    const object = {
      kind: served.resource.kind,
      apiVersion: apiVersionOf(served.group, served.version),
      metadata: {
        resourceVersion: String(store.version),
        creationTimestamp: null,
        ...(annotations ? { annotations } : {}),
      },
    } as unknown as KubeObject;
    line('BOOKMARK', wanted.shape.form === 'object' ? JSON.stringify(object) : text(object));
  };

  const initial = flag(query, 'sendInitialEvents');
  if (initial || !wanted.version) {
    if (query.get('sendInitialEvents') !== 'false')
      for (const object of store.list(key, wanted.namespace)) if (takes(object)) line('ADDED', text(object));
    if (initial && bookmarks) bookmark({ 'k8s.io/initial-events-end': 'true' });
  } else {
    const missed = store.since(key, wanted.version);
    if (!missed) {
      line('ERROR', JSON.stringify(statusObject(tooOld(wanted.version, store.version))));
      response.end();
      return;
    }
    for (const change of missed) tell(change);
  }
  const stop = store.watch(key, tell);
  const marks = bookmarks ? setInterval(() => bookmark(), BOOKMARK_EVERY) : undefined;
  const seconds = numberOf(query, 'timeoutSeconds') || LONGEST * (1 + Math.random());
  const end = setTimeout(
    () => {
      if (bookmarks) bookmark();
      response.end();
    },
    Math.min(seconds, 2_000_000) * 1_000,
  );
  marks?.unref();
  end.unref();
  response.on('close', () => {
    stop();
    clearInterval(marks);
    clearTimeout(end);
  });
}

export const tooOld = (asked: number, oldest: number) =>
  expired(`too old resource version: ${asked} (${oldest})`);
