/** GET pods/NAME:PORT/proxy/PATH and services/NAME:PORT/proxy/PATH: HTTP through the API server to a pod. */
import { request as httpRequest } from 'node:http';
import type { KubeObject } from '../../client/types.ts';
import type { Served } from '../resources/catalog.ts';
import { ApiError } from '../../client/types.ts';
import { badRequest, methodNotAllowed } from '../status.ts';
import type { Context } from './context.ts';
import { needKubelet } from './kubelet.ts';
import type { Exchange, ResourcePath } from './request.ts';

const unavailable = (message: string): ApiError =>
  new ApiError({ code: 503, reason: 'ServiceUnavailable', message });

interface Target {
  readonly pod: KubeObject;
  readonly port: number;
}

/** `[scheme:]name[:port]`. */
function split(text: string): { name: string; port: string } {
  const parts = text.split(':');
  if (parts.length === 3) {
    if (parts[0] !== '' && parts[0] !== 'http')
      throw badRequest(`the scheme ${parts[0]} cannot be proxied here`);
    return { name: parts[1] ?? '', port: parts[2] ?? '' };
  }
  return { name: parts[0] ?? '', port: parts[1] ?? '' };
}

function podTarget(context: Context, served: Served, namespace: string, text: string): Target {
  const { name, port } = split(text);
  const pod = context.registry.need(served.resource, namespace, name);
  const first: number | undefined = pod.spec?.containers?.[0]?.ports?.[0]?.containerPort;
  return { pod, port: port ? Number(port) : (first ?? 80) };
}

/** An endpoint of the Service that is ready, in turn by chance, as upstream. */
function serviceTarget(context: Context, served: Served, namespace: string, text: string): Target {
  const { name, port } = split(text);
  const service = context.registry.need(served.resource, namespace, name);
  const ports: { name?: string; port: number }[] = service.spec?.ports ?? [];
  const wanted = port
    ? ports.find((one) => one.name === port || String(one.port) === port)
    : ports.length === 1
      ? ports[0]
      : undefined;
  if (!wanted)
    throw unavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const targets: Target[] = [];
  for (const slice of context.registry.store.list('discovery.k8s.io/endpointslices', namespace)) {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
    const found = (slice['ports'] ?? []).find(
      (one: { name?: string }) => (one.name ?? '') === (wanted.name ?? ''),
    );
    for (const endpoint of slice['endpoints'] ?? []) {
      const ref = endpoint.targetRef;
      if (!found?.port || endpoint.conditions?.ready === false || ref?.kind !== 'Pod') continue;
      const pod = context.registry.store.get('/pods', ref.namespace, ref.name);
      if (pod) targets.push({ pod, port: found.port });
    }
  }
  const target = targets[Math.floor(Math.random() * targets.length)];
  if (!target) throw unavailable(`no endpoints available for service ${JSON.stringify(text)}`);
  return target;
}

/** Headers that belong to one connection only (RFC 9110, 7.6.1), and our own credentials. */
const NOT_FORWARDED = [
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'transfer-encoding',
  'authorization',
  'host',
];

export async function proxy(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const { plural } = served.resource;
  const name = path.name as string;
  const namespace = path.namespace ?? '';
  if (plural !== 'pods' && plural !== 'services')
    throw methodNotAllowed(`${plural}/proxy`, exchange.method.toLowerCase());
  const target =
    plural === 'pods'
      ? podTarget(context, served, namespace, name)
      : serviceTarget(context, served, namespace, name);
  const connection = await needKubelet(context)
    .portForward(target.pod, target.port)
    .catch((error: unknown) => {
      throw unavailable(`error trying to reach service: ${(error as Error).message}`);
    });
  const headers = { ...exchange.request.headers };
  for (const header of NOT_FORWARDED) delete headers[header];
  const search = exchange.query.toString();
  await new Promise<void>((resolve, reject) => {
    const asked = httpRequest({
      method: exchange.method,
      path: `/${path.rest}${search ? `?${search}` : ''}`,
      headers: { ...headers, host: `${target.pod.status?.podIP ?? target.pod.metadata.name}:${target.port}` },
      createConnection: () => connection as never,
    });
    asked.on('error', (error) => reject(unavailable(`error trying to reach service: ${error.message}`)));
    asked.on('response', (answer) => {
      exchange.response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(exchange.response);
      answer.on('end', resolve);
      answer.on('error', () => {
        exchange.response.destroy();
        resolve();
      });
    });
    exchange.response.on('close', () => connection.destroy());
    exchange.request.pipe(asked);
  });
}
