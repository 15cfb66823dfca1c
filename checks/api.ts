/** What does the API say? Status and reason of a request, what is served, what a watch tells. */
import { notAsked, type Observation, type Probe } from '../src/model/observation.ts';
import { text } from '../src/model/text.ts';
import type { KubeObject, ObjectRef, WatchEvent } from '../src/kube/kube.ts';
import type { Stage } from './experiment.ts';

export interface ApiAnswer {
  /** HTTP status. */
  readonly status: number;
  /** Of the Status object when there is one (Kubernetes API concepts: Status): `NotFound`, `BadRequest` ... */
  readonly reason: string;
  readonly message: string;
  readonly json: any;
}

/** Output of an answer that is kept in the evidence, in characters. */
const KEPT = 20_000;

/** Sends a request as it is. An HTTP status is an answer; an API that is not reached was not asked. */
export async function api(
  stage: Stage,
  method: string,
  path: string,
  body?: object,
): Promise<Observation<ApiAnswer>> {
  const at = new Date().toISOString();
  const began = performance.now();
  const command = `${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`;
  const probe = (stdout: string, stderr: string, code: number | undefined): Probe => ({
    where: 'api',
    command,
    stdout: stdout.slice(0, KEPT),
    stderr,
    code,
    ms: Math.round(performance.now() - began),
    at,
  });
  try {
    const reply = await stage.kube.request(method, path, body === undefined ? {} : { body });
    const said = reply.json?.kind === 'Status' ? reply.json : undefined;
    return {
      asked: true,
      value: {
        status: reply.status,
        reason: said?.reason ?? '',
        message: said?.message ?? (reply.status >= 400 ? reply.text.trim().slice(0, 300) : ''),
        json: reply.json,
      },
      probes: [probe(reply.text, reply.warnings.join('\n'), reply.status)],
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return notAsked(
      text(`the API was not reached: ${why}`, `未能访问 API：${why}`),
      probe('', why, undefined),
    );
  }
}

/** As a row shows it: `201`, `404 NotFound`, `400 BadRequest: ...unknown field "spec.selector"`. */
export const apiSaid = ({ status, reason, message }: ApiAnswer): string =>
  status < 300 ? String(status) : `${status} ${reason}${message ? `: ${message}` : ''}`.trim();

/** Creates an object the way `kubectl apply --validate=strict` does: a field that the API does not know is an error. */
export async function createStrictly(stage: Stage, object: KubeObject): Promise<Observation<ApiAnswer>> {
  const path = await stage.kube.path({ ...object, ...object.metadata, name: undefined } as Omit<
    ObjectRef,
    'name'
  >);
  return api(stage, 'POST', `${path}?fieldValidation=Strict`, object);
}

/** The resources that a group and version serves; empty when it is not served at all (404). */
export async function served(stage: Stage, groupVersion: string): Promise<Observation<readonly string[]>> {
  const seen = await api(
    stage,
    'GET',
    groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`,
  );
  if (!seen.asked) return seen;
  const { status, json } = seen.value;
  if (status === 404) return { ...seen, value: [] };
  if (status !== 200)
    return notAsked(text(`discovery answered ${status}`, `发现接口返回 ${status}`), ...seen.probes);
  const names = ((json?.resources ?? []) as { name: string }[]).map((one) => one.name);
  return { ...seen, value: names.filter((name) => !name.includes('/')).sort() };
}

/** One object as it is, or undefined when there is none. */
export async function objectOf(stage: Stage, ref: ObjectRef): Promise<Observation<KubeObject | undefined>> {
  const seen = await api(stage, 'GET', await stage.kube.path(ref));
  if (!seen.asked) return seen;
  if (seen.value.status === 404) return { ...seen, value: undefined };
  if (seen.value.status !== 200)
    return notAsked(text(apiSaid(seen.value), apiSaid(seen.value)), ...seen.probes);
  return { ...seen, value: seen.value.json as KubeObject };
}

/** What a watch tells while something is done, from the state before it on. */
export async function watchWhile(
  stage: Stage,
  of: { apiVersion: string; kind: string; namespace?: string; labelSelector?: string },
  doing: () => Promise<unknown>,
): Promise<Observation<readonly WatchEvent[]>> {
  const at = new Date().toISOString();
  const began = performance.now();
  const path = await stage.kube.path({ apiVersion: of.apiVersion, kind: of.kind, namespace: of.namespace });
  const events: WatchEvent[] = [];
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, stage.signal]);
  const probe = (stderr: string): Probe => ({
    where: 'api',
    command: `GET ${path}?watch=true${of.labelSelector ? `&labelSelector=${of.labelSelector}` : ''}`,
    stdout: events
      .map(({ type, object }) => `${type} ${object.metadata?.name} ${object.metadata?.['resourceVersion']}`)
      .join('\n'),
    stderr,
    code: stderr === '' ? 200 : undefined,
    ms: Math.round(performance.now() - began),
    at,
  });
  try {
    const list = await stage.kube.request('GET', path);
    const resourceVersion: string | undefined = list.json?.metadata?.resourceVersion;
    const watching = stage.kube.watch(
      of,
      { namespace: of.namespace, labelSelector: of.labelSelector, resourceVersion, signal },
      (event) => events.push(event),
    );
    watching.catch(() => undefined); // Its failure is told below; it must not end the process before that.
    try {
      await doing();
    } finally {
      end.abort();
    }
    await watching;
    return { asked: true, value: events, probes: [probe('')] };
  } catch (error) {
    stage.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    return notAsked(text(`the watch broke: ${why}`, `watch 中断：${why}`), probe(why));
  }
}
