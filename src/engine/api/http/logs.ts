/** GET pods/NAME/log. */
import type { KubeObject } from '../../client/types.ts';
import type { LogOptions } from '../kubelet-port.ts';
import type { Served } from '../resources/catalog.ts';
import { badRequest, methodNotAllowed } from '../status.ts';
import { setWarnings } from './answer.ts';
import type { Context } from './context.ts';
import { needKubelet } from './kubelet.ts';
import { flag, numberOf, type Exchange, type ResourcePath } from './request.ts';

/** The container that is meant, by name or because it is the only one; throws 400 as upstream. */
export function containerOf(pod: KubeObject, asked: string | null): string {
  const names = (list: { name: string }[] | undefined) => (list ?? []).map((one) => one.name);
  const containers = names(pod.spec?.containers);
  const init = names(pod.spec?.initContainers);
  const all = [...containers, ...init, ...names(pod.spec?.ephemeralContainers)];
  if (asked) {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  const [only] = containers;
  if (containers.length === 1 && only !== undefined) return only;
  const preferred = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  if (preferred && containers.includes(preferred)) return preferred;
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${containers.join(' ')}]${
      init.length ? ` or one of the init containers: [${init.join(' ')}]` : ''
    }`,
  );
}

export async function serveLogs(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  if (exchange.method !== 'GET') throw methodNotAllowed('pods/log', exchange.method.toLowerCase());
  const { query, response } = exchange;
  const pod = context.registry.need(served.resource, path.namespace ?? '', path.name as string);
  const container = containerOf(pod, query.get('container'));
  const abort = new AbortController();
  response.on('close', () => abort.abort());
  const positive = (name: string): number | undefined => {
    const value = numberOf(query, name);
    if (value !== undefined && value < 0)
      throw badRequest(
        `PodLogOptions "" is invalid: ${name}: Invalid value: ${value}: must be greater than or equal to 0`,
      );
    return value;
  };
  const options: LogOptions = {
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    sinceSeconds: positive('sinceSeconds'),
    sinceTime: query.get('sinceTime') ?? undefined,
    tailLines: positive('tailLines'),
    limitBytes: positive('limitBytes'),
    signal: abort.signal,
  };
  if (!pod.spec?.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const stream = await needKubelet(context).logs(pod, container, options);
  setWarnings(response, exchange.warnings);
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-cache, private' });
  // A follower has to see that it is connected before the first line comes.
  response.flushHeaders();
  abort.signal.addEventListener('abort', () => stream.destroy());
  stream.on('error', () => response.destroy());
  stream.pipe(response);
}
