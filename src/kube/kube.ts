/**
 * The kit's one door to a Kubernetes API: objects, raw requests, watches, exec.
 * Everything goes over one pool of connections, because a TLS handshake a request costs more than the request.
 */
import { readFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import { ExecDoor, type ExecAnswer, type ExecOptions } from './exec.ts';
import { Http, type ApiReply, type RequestOptions } from './http.ts';
import { Resources } from './resources.ts';

/** Any object of the API. */
export interface KubeObject {
  apiVersion: string;
  kind: string;

  metadata: { name: string; namespace?: string; [field: string]: any };

  [field: string]: any;
}

/** Names one object. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** What a watch tells: the type of the change (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR) and the object. */
export interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject;
}

/** The API said no; `reply` holds its Status object. */
export class ApiRefused extends Error {
  readonly reply: ApiReply;
  constructor(what: string, reply: ApiReply) {
    const status = reply.json as { message?: string; reason?: string } | undefined;
    super(
      `${what}: ${reply.status} ${status?.reason ?? ''} ${status?.message ?? reply.text.slice(0, 300)}`.trim(),
    );
    this.name = 'ApiRefused';
    this.reply = reply;
  }
}

/** Field manager of what the kit applies (Kubernetes: Server-Side Apply). */
const MANAGER = 'podlab';

const refOf = (object: KubeObject): ObjectRef => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  name: object.metadata.name,
  namespace: object.metadata.namespace,
});

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

/** A cluster's API as a client sees it. */
export class Kube {
  readonly #http: Http;
  readonly #resources: Resources;
  readonly #exec: ExecDoor;

  private constructor(config: KubeConfig, http: Http) {
    this.#http = http;
    this.#resources = new Resources(http);
    this.#exec = new ExecDoor(config);
  }

  /**
   * Opens the API that a kubeconfig names.
   * @throws PodlabError `bad-kubeconfig` when the file cannot be read or names no such context
   */
  static async open(path: string, context?: string): Promise<Kube> {
    const config = new KubeConfig();
    try {
      readFileSync(path);
      config.loadFromFile(path);
    } catch (cause) {
      throw new PodlabError({
        code: 'bad-kubeconfig',
        fault: 'user',
        message: text(`cannot read the kubeconfig ${path}`, `无法读取 kubeconfig：${path}`),
        evidence: cause instanceof Error ? cause.message : String(cause),
        cause,
      });
    }
    if (context !== undefined) config.setCurrentContext(context);
    if (!config.getCurrentCluster())
      throw new PodlabError({
        code: 'bad-kubeconfig',
        fault: 'user',
        message: text(
          `the kubeconfig ${path} has no context "${context ?? config.getCurrentContext()}"`,
          `kubeconfig ${path} 中没有上下文 "${context ?? config.getCurrentContext()}"`,
        ),
        hint: text(
          `contexts: ${
            config
              .getContexts()
              .map((one) => one.name)
              .join(', ') || 'none'
          }`,
          `可用的上下文：${
            config
              .getContexts()
              .map((one) => one.name)
              .join('、') || '无'
          }`,
        ),
      });
    return new Kube(config, await Http.open(config));
  }

  /** Closes all connections and shells. */
  close(): void {
    this.#exec.close();
    this.#http.close();
  }

  /**
   * Sends a request as it is. Never throws for an HTTP status.
   * @throws ApiUnreachable when there was no answer
   */
  request(method: string, path: string, options: RequestOptions = {}): Promise<ApiReply> {
    return this.#http.request(method, path, options);
  }

  /** The path of an object (or of its collection, without a name). */
  path(ref: Omit<ObjectRef, 'name'> & { name?: string }, subresource = ''): Promise<string> {
    return this.#resources.path(ref, subresource);
  }

  /** Whether objects of this kind live in a namespace. */
  namespaced(object: { apiVersion: string; kind: string }): Promise<boolean> {
    return this.#resources.namespaced(object.apiVersion, object.kind);
  }

  async create<T extends KubeObject>(object: T): Promise<T> {
    const path = await this.path({ ...refOf(object), name: undefined });
    return this.#must(`create ${object.kind} ${object.metadata.name}`, 'POST', path, { body: object });
  }

  /** Server-side apply, by force: the object is ours. */
  async apply<T extends KubeObject>(object: T): Promise<T> {
    const path = await this.path(refOf(object));
    return this.#must(
      `apply ${object.kind} ${object.metadata.name}`,
      'PATCH',
      `${path}?fieldManager=${MANAGER}&force=true`,
      { body: object, contentType: 'application/apply-patch+yaml' },
    );
  }

  async get<T extends KubeObject = KubeObject>(ref: ObjectRef): Promise<T | undefined> {
    const reply = await this.#http.request('GET', await this.path(ref));
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw new ApiRefused(`get ${ref.kind} ${ref.name}`, reply);
    return reply.json as T;
  }

  async list<T extends KubeObject = KubeObject>(
    of: { apiVersion: string; kind: string },
    options: { namespace?: string; labelSelector?: string; fieldSelector?: string } = {},
  ): Promise<T[]> {
    const path = await this.path({ ...of, namespace: options.namespace });
    const query = new URLSearchParams();
    if (options.labelSelector) query.set('labelSelector', options.labelSelector);
    if (options.fieldSelector) query.set('fieldSelector', options.fieldSelector);
    const list = await this.#must<{ items: T[] }>(
      `list ${of.kind}`,
      'GET',
      query.size ? `${path}?${query}` : path,
    );
    // Items of a list carry no kind of their own.
    return list.items.map((item) => ({ ...item, apiVersion: of.apiVersion, kind: of.kind }));
  }

  /** Deletes an object; one that is not there is no error. `grace` in seconds. */
  async delete(
    ref: ObjectRef | KubeObject,
    options: { grace?: number; propagation?: string } = {},
  ): Promise<void> {
    const target = 'metadata' in ref ? refOf(ref) : ref;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: options.propagation ?? 'Background',
      ...(options.grace === undefined ? {} : { gracePeriodSeconds: options.grace }),
    };
    const reply = await this.#http.request('DELETE', await this.path(target), { body });
    if (reply.status >= 300 && reply.status !== 404)
      throw new ApiRefused(`delete ${target.kind} ${target.name}`, reply);
  }

  async patch<T extends KubeObject = KubeObject>(
    ref: ObjectRef | KubeObject,
    patch: object,
    options: { type?: keyof typeof PATCH_TYPES; subresource?: string } = {},
  ): Promise<T> {
    const target = 'metadata' in ref ? refOf(ref) : ref;
    return this.#must(
      `patch ${target.kind} ${target.name}`,
      'PATCH',
      await this.path(target, options.subresource),
      {
        body: patch,
        contentType: PATCH_TYPES[options.type ?? 'merge'],
      },
    );
  }

  /**
   * Watches a collection until `signal` ends it. Resolves when the server ends it.
   * Begins with what exists (as ADDED) unless a resourceVersion is given.
   */
  async watch(
    of: { apiVersion: string; kind: string },
    options: {
      namespace?: string;
      labelSelector?: string;
      fieldSelector?: string;
      resourceVersion?: string;
      signal: AbortSignal;
    },
    onEvent: (event: WatchEvent) => void,
  ): Promise<void> {
    const query = new URLSearchParams({ watch: 'true' });
    for (const key of ['labelSelector', 'fieldSelector', 'resourceVersion'] as const)
      if (options[key]) query.set(key, options[key]);
    const path = await this.path({ ...of, namespace: options.namespace });
    await this.#http.lines(`${path}?${query}`, options.signal, (line) =>
      onEvent(JSON.parse(line) as WatchEvent),
    );
  }

  /** Runs a command in a container. Never throws: `reached` tells whether it ran. */
  exec(
    pod: { namespace: string; name: string; container?: string },
    argv: readonly string[],
    options: ExecOptions = {},
  ): Promise<ExecAnswer> {
    return this.#exec.exec(pod, argv, options);
  }

  async #must<T>(what: string, method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const reply = await this.#http.request(method, path, options);
    if (reply.status >= 300) throw new ApiRefused(what, reply);
    return reply.json as T;
  }
}
