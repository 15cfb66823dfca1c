/** Validation of containers, their ports, environment, probes and mounts. */
import { isObject, type Json } from '../json.ts';
import { badDnsLabel } from '../names.ts';
import { quantityValue } from '../schema/quantity.ts';
import { duplicate, forbiddenField, invalidValue, required, unsupported, type Cause } from '../status.ts';
import { oneOf, portName, portNumber, portOrName, PROTOCOLS } from './check.ts';

function probeCauses(probe: Json, path: string, liveness: boolean): Cause[] {
  if (!isObject(probe)) return [];
  const causes: Cause[] = [];
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((name) => probe[name] !== undefined);
  if (handlers.length === 0) causes.push(required(path, 'must specify a handler type'));
  for (const extra of handlers.slice(1))
    causes.push(forbiddenField(`${path}.${extra}`, 'may not specify more than 1 handler type'));
  if (probe['exec'] && !probe['exec'].command?.length) causes.push(required(`${path}.exec.command`));
  if (probe['httpGet']) {
    causes.push(...portOrName(probe['httpGet'].port, `${path}.httpGet.port`));
    causes.push(...oneOf(probe['httpGet'].scheme, ['HTTP', 'HTTPS'], `${path}.httpGet.scheme`));
  }
  if (probe['tcpSocket']) causes.push(...portOrName(probe['tcpSocket'].port, `${path}.tcpSocket.port`));
  if (probe['grpc']) causes.push(...portNumber(probe['grpc'].port, `${path}.grpc.port`));
  for (const field of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ])
    if (probe[field] < 0)
      causes.push(invalidValue(`${path}.${field}`, probe[field], 'must be greater than or equal to 0'));
  if (liveness && probe['successThreshold'] !== undefined && probe['successThreshold'] !== 1)
    causes.push(invalidValue(`${path}.successThreshold`, probe['successThreshold'], 'must be 1'));
  return causes;
}

function envCauses(env: readonly Json[], path: string): Cause[] {
  const causes: Cause[] = [];
  for (const [i, one] of env.entries()) {
    const at = `${path}[${i}]`;
    if (!one.name) causes.push(required(`${at}.name`));
    else if (!/^[ -<>-~]+$/.test(one.name))
      causes.push(
        invalidValue(
          `${at}.name`,
          one.name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      );
    if (!one.valueFrom) continue;
    if (one.value)
      causes.push(invalidValue(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'));
    const sources = Object.keys(one.valueFrom);
    if (sources.length !== 1)
      causes.push(
        invalidValue(
          `${at}.valueFrom`,
          '',
          sources.length === 0
            ? 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'
            : 'may not have more than one field specified at a time',
        ),
      );
    if (one.valueFrom.fieldRef && !one.valueFrom.fieldRef.fieldPath)
      causes.push(required(`${at}.valueFrom.fieldRef.fieldPath`));
    for (const source of ['configMapKeyRef', 'secretKeyRef'])
      if (one.valueFrom[source]) {
        if (!one.valueFrom[source].name) causes.push(required(`${at}.valueFrom.${source}.name`));
        if (!one.valueFrom[source].key) causes.push(required(`${at}.valueFrom.${source}.key`));
      }
  }
  return causes;
}

function portsCauses(ports: readonly Json[], path: string, seen: Set<string>): Cause[] {
  const causes: Cause[] = [];
  for (const [i, port] of ports.entries()) {
    const at = `${path}[${i}]`;
    if (port.name) {
      const wrong = portName(port.name);
      causes.push(...wrong.map((why) => invalidValue(`${at}.name`, port.name, why)));
      if (wrong.length === 0 && seen.has(port.name)) causes.push(duplicate(`${at}.name`, port.name));
      seen.add(port.name);
    }
    if (port.containerPort === undefined) causes.push(required(`${at}.containerPort`));
    else causes.push(...portNumber(port.containerPort, `${at}.containerPort`));
    if (port.hostPort) causes.push(...portNumber(port.hostPort, `${at}.hostPort`));
    if (!port.protocol) causes.push(required(`${at}.protocol`));
    else if (!PROTOCOLS.includes(port.protocol))
      causes.push(unsupported(`${at}.protocol`, port.protocol, PROTOCOLS));
  }
  return causes;
}

function resourceCauses(resources: Json, path: string): Cause[] {
  if (!isObject(resources)) return [];
  const { limits = {}, requests = {} } = resources;
  const causes: Cause[] = [];
  for (const [kind, list] of [
    ['limits', limits],
    ['requests', requests],
  ] as const)
    for (const [name, amount] of Object.entries<Json>(list as object))
      if (quantityValue(String(amount)) < 0)
        causes.push(invalidValue(`${path}.${kind}[${name}]`, amount, 'must be greater than or equal to 0'));
  for (const [name, amount] of Object.entries<Json>(requests as object))
    if (limits[name] !== undefined && quantityValue(String(amount)) > quantityValue(String(limits[name])))
      causes.push(
        invalidValue(
          `${path}.requests`,
          amount,
          `must be less than or equal to ${name} limit of ${String(limits[name])}`,
        ),
      );
  return causes;
}

function mountCauses(container: Json, volumes: ReadonlySet<string>, path: string): Cause[] {
  const causes: Cause[] = [];
  const places = new Set<string>();
  for (const [i, mount] of ((container.volumeMounts as Json[] | undefined) ?? []).entries()) {
    const at = `${path}.volumeMounts[${i}]`;
    if (!mount.name) causes.push(required(`${at}.name`));
    else if (!volumes.has(mount.name))
      causes.push({
        reason: 'FieldValueNotFound',
        message: `Not found: ${JSON.stringify(mount.name)}`,
        field: `${at}.name`,
      });
    if (!mount.mountPath) causes.push(required(`${at}.mountPath`));
    else if (places.has(mount.mountPath))
      causes.push(invalidValue(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    places.add(mount.mountPath);
    if (String(mount.subPath ?? '').startsWith('/'))
      causes.push(invalidValue(`${at}.subPath`, mount.subPath, 'must be a relative path'));
    if (
      String(mount.subPath ?? '')
        .split('/')
        .includes('..')
    )
      causes.push(invalidValue(`${at}.subPath`, mount.subPath, "must not contain '..'"));
  }
  return causes;
}

export interface ContainerScope {
  /** Names of containers of the pod so far. */
  readonly names: Set<string>;
  readonly volumes: ReadonlySet<string>;
  readonly init: boolean;
  /** An ephemeral container may not have ports, probes and the like. */
  readonly ephemeral: boolean;
}

export function containerCauses(container: Json, path: string, scope: ContainerScope): Cause[] {
  const causes: Cause[] = [];
  if (!container.name) causes.push(required(`${path}.name`));
  else {
    const bad = badDnsLabel(container.name);
    if (bad) causes.push(invalidValue(`${path}.name`, container.name, bad));
    else if (scope.names.has(container.name)) causes.push(duplicate(`${path}.name`, container.name));
    scope.names.add(container.name);
  }
  if (!container.image) causes.push(required(`${path}.image`));
  else if (container.image !== String(container.image).trim())
    causes.push(
      invalidValue(`${path}.image`, container.image, 'must not have leading or trailing whitespace'),
    );
  causes.push(
    ...oneOf(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], `${path}.imagePullPolicy`),
  );
  causes.push(...portsCauses(container.ports ?? [], `${path}.ports`, new Set()));
  causes.push(...envCauses(container.env ?? [], `${path}.env`));
  causes.push(...resourceCauses(container.resources, `${path}.resources`));
  causes.push(...mountCauses(container, scope.volumes, path));
  const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
  const sidecar = container.restartPolicy === 'Always';
  for (const probe of probes) {
    if (container[probe] && (scope.ephemeral || (scope.init && !sidecar)))
      causes.push(
        forbiddenField(
          `${path}.${probe}`,
          scope.ephemeral
            ? 'cannot be set for an Ephemeral Container'
            : 'may not be set for init containers without restartPolicy=Always',
        ),
      );
    else causes.push(...probeCauses(container[probe], `${path}.${probe}`, probe !== 'readinessProbe'));
  }
  if (scope.init && container.restartPolicy !== undefined)
    causes.push(...oneOf(container.restartPolicy, ['Always'], `${path}.restartPolicy`));
  return causes;
}
