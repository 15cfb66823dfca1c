/** Environment, command and arguments of containers, as the kubelet puts them together. */
import type { Client, KubeObject } from '../client/types.ts';
import { gr } from '../client/types.ts';
import type { ContainerDef, EnvVar, Pod, ResourceField } from './pod-types.ts';
import { quantity } from './quantity.ts';

/** A ConfigMap or Secret that a container needs and that is not there: CreateContainerConfigError. */
export class ConfigError extends Error {}

/** What the downward API may ask of the node. */
export interface Place {
  readonly nodeName: string;
  readonly hostIp: string;
  readonly podIp: string | undefined;
  readonly capacity: { readonly cpu: string; readonly memory: string };
}

/** `$(VAR)` is replaced when VAR is known, `$$(VAR)` stands for itself (Kubernetes: "Define dependent variables"). */
export function expand(text: string, known: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$(\$)?\(([^)]*)\)|\$\$/g,
    (all, escaped: string | undefined, name: string | undefined) => {
      if (name === undefined) return '$';
      if (escaped) return `$(${name})`;
      return known[name] ?? all;
    },
  );
}

/** Value of a downward API field. */
export function fieldValue(pod: Pod, path: string, place: Place): string {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript) {
    const map = subscript[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[subscript[2]!] ?? '';
  }
  const lines = (map: Record<string, string> | undefined) =>
    Object.entries(map ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      .join('\n');
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'metadata.labels':
      return lines(pod.metadata.labels);
    case 'metadata.annotations':
      return lines(pod.metadata.annotations);
    case 'spec.nodeName':
      return place.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return place.hostIp;
    case 'status.podIP':
    case 'status.podIPs':
      return place.podIp ?? '';
    default:
      throw new ConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** Value of a container's resource, in units of the divisor, rounded up; the node's capacity where nothing is said. */
export function resourceValue(pod: Pod, container: ContainerDef, field: ResourceField, place: Place): string {
  const of =
    field.containerName === undefined
      ? container
      : (pod.spec?.containers.find((one) => one.name === field.containerName) ?? container);
  const [kind, name] = field.resource.split('.') as ['limits' | 'requests', 'cpu' | 'memory'];
  const value = of.resources?.[kind]?.[name] ?? (kind === 'limits' ? place.capacity[name] : '0') ?? '0';
  const divisor = quantity(field.divisor && field.divisor !== '0' ? field.divisor : '1');
  return String(Math.ceil(quantity(value) / divisor));
}

/** A value as bytes of a Secret, text of a ConfigMap. */
const dataOf = (object: KubeObject, key: string): string | undefined => {
  const value = object['data']?.[key] as string | undefined;
  if (value === undefined) return undefined;
  return object.kind === 'Secret' ? Buffer.from(value, 'base64').toString('utf8') : value;
};

async function keyRef(
  client: Client,
  kind: 'configmaps' | 'secrets',
  ref: { name: string; key: string; optional?: boolean },
  namespace: string,
): Promise<string | undefined> {
  const object = await client.get(gr(kind), ref.name, namespace);
  const word = kind === 'secrets' ? 'secret' : 'configmap';
  if (object === undefined) {
    if (ref.optional) return undefined;
    throw new ConfigError(`${word} "${ref.name}" not found`);
  }
  const value = dataOf(object, ref.key);
  if (value === undefined && !ref.optional) {
    const where = kind === 'secrets' ? 'Secret' : 'ConfigMap';
    throw new ConfigError(`couldn't find key ${ref.key} in ${where} ${namespace}/${ref.name}`);
  }
  return value;
}

/** The whole environment of a container; later sources win over earlier ones. */
export async function environment(
  pod: Pod,
  container: ContainerDef,
  base: Readonly<Record<string, string>>,
  services: Readonly<Record<string, string>>,
  place: Place,
  client: Client,
): Promise<Record<string, string>> {
  const namespace = pod.metadata.namespace ?? 'default';
  const env: Record<string, string> = {
    ...base,
    HOSTNAME: (pod.spec?.hostname ?? pod.metadata.name).slice(0, 63),
  };
  const declared: Record<string, string> = {};
  for (const from of container.envFrom ?? []) {
    const [kind, ref] = from.configMapRef
      ? (['configmaps', from.configMapRef] as const)
      : (['secrets', from.secretRef] as const);
    if (ref === undefined) continue;
    const object = await client.get(gr(kind), ref.name, namespace);
    if (object === undefined) {
      if (ref.optional) continue;
      throw new ConfigError(`${kind === 'secrets' ? 'secret' : 'configmap'} "${ref.name}" not found`);
    }
    for (const key of Object.keys(object['data'] ?? {}))
      declared[`${from.prefix ?? ''}${key}`] = dataOf(object, key) ?? '';
  }
  const value = async (variable: EnvVar): Promise<string | undefined> => {
    const from = variable.valueFrom;
    if (from?.fieldRef) return fieldValue(pod, from.fieldRef.fieldPath, place);
    if (from?.resourceFieldRef) return resourceValue(pod, container, from.resourceFieldRef, place);
    if (from?.configMapKeyRef) return keyRef(client, 'configmaps', from.configMapKeyRef, namespace);
    if (from?.secretKeyRef) return keyRef(client, 'secrets', from.secretKeyRef, namespace);
    return expand(variable.value ?? '', { ...services, ...declared });
  };
  for (const variable of container.env ?? []) {
    const found = await value(variable);
    if (found !== undefined) declared[variable.name] = found;
  }
  return { ...env, ...services, ...declared };
}

/**
 * Variables of the Services of the namespace, and of `kubernetes`, in Docker's link format
 * (Kubernetes: Services, "Discovering services: environment variables").
 */
export function serviceVariables(services: readonly KubeObject[], pod: Pod): Record<string, string> {
  const env: Record<string, string> = {};
  const links = pod.spec?.enableServiceLinks !== false;
  const wanted = services.filter((service) => {
    if (service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes') return true;
    return links && service.metadata.namespace === pod.metadata.namespace;
  });
  for (const service of wanted) {
    const ip = service.spec?.clusterIP as string | undefined;
    if (!ip || ip === 'None') continue;
    const name = service.metadata.name.toUpperCase().replaceAll('-', '_');
    const ports = (service.spec?.ports ?? []) as { name?: string; port: number; protocol?: string }[];
    const first = ports[0];
    if (first === undefined) continue;
    const proto = (port: { protocol?: string }) => (port.protocol ?? 'TCP').toLowerCase();
    env[`${name}_SERVICE_HOST`] = ip;
    env[`${name}_SERVICE_PORT`] = String(first.port);
    for (const port of ports) {
      if (port.name)
        env[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`] = String(port.port);
    }
    env[`${name}_PORT`] = `${proto(first)}://${ip}:${first.port}`;
    for (const port of ports) {
      const prefix = `${name}_PORT_${port.port}_${proto(port).toUpperCase()}`;
      env[prefix] = `${proto(port)}://${ip}:${port.port}`;
      env[`${prefix}_PROTO`] = proto(port);
      env[`${prefix}_PORT`] = String(port.port);
      env[`${prefix}_ADDR`] = ip;
    }
  }
  return env;
}
