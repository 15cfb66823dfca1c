/** Defaults of a PodSpec (upstream: pkg/apis/core/v1/defaults.go), for pods and for pod templates. */
import type { Json } from '../json.ts';

/** Sets a field that is absent. */
export function fill(object: Json, field: string, value: Json): void {
  if (object[field] === undefined || object[field] === null) object[field] = value;
}

/** The registry's rule for images without a policy: Always for the tag latest or none, else IfNotPresent. */
export function pullPolicy(image: string): 'Always' | 'IfNotPresent' {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function probeDefaults(probe: Json): void {
  if (!probe) return;
  fill(probe, 'timeoutSeconds', 1);
  fill(probe, 'periodSeconds', 10);
  fill(probe, 'successThreshold', 1);
  fill(probe, 'failureThreshold', 3);
  if (probe.httpGet) httpGetDefaults(probe.httpGet);
  if (probe.grpc) fill(probe.grpc, 'service', '');
}

function httpGetDefaults(get: Json): void {
  fill(get, 'path', '/');
  fill(get, 'scheme', 'HTTP');
}

function containerDefaults(container: Json, hostNetwork: boolean): void {
  if (typeof container.image === 'string') fill(container, 'imagePullPolicy', pullPolicy(container.image));
  fill(container, 'terminationMessagePath', '/dev/termination-log');
  fill(container, 'terminationMessagePolicy', 'File');
  fill(container, 'resources', {});
  for (const port of container.ports ?? []) {
    fill(port, 'protocol', 'TCP');
    if (hostNetwork) fill(port, 'hostPort', port.containerPort);
  }
  for (const variable of container.env ?? [])
    if (variable.valueFrom?.fieldRef) fill(variable.valueFrom.fieldRef, 'apiVersion', 'v1');
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) probeDefaults(container[probe]);
  for (const hook of ['postStart', 'preStop'])
    if (container.lifecycle?.[hook]?.httpGet) httpGetDefaults(container.lifecycle[hook].httpGet);
  const { limits, requests } = container.resources;
  if (limits) container.resources.requests = { ...limits, ...requests };
}

/** 0644: the mode of files of ConfigMap, Secret, downward API and projected volumes. */
const FILE_MODE = 0o644;

function volumeDefaults(volume: Json): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume.emptyDir = {};
  for (const kind of ['secret', 'configMap', 'downwardAPI', 'projected'])
    if (volume[kind]) fill(volume[kind], 'defaultMode', FILE_MODE);
  for (const item of volume.downwardAPI?.items ?? [])
    if (item.fieldRef) fill(item.fieldRef, 'apiVersion', 'v1');
  if (volume.hostPath) fill(volume.hostPath, 'type', '');
  for (const source of volume.projected?.sources ?? []) {
    if (source.serviceAccountToken) fill(source.serviceAccountToken, 'expirationSeconds', 3600);
    for (const item of source.downwardAPI?.items ?? [])
      if (item.fieldRef) fill(item.fieldRef, 'apiVersion', 'v1');
  }
}

export function podSpecDefaults(spec: Json): void {
  if (!spec) return;
  fill(spec, 'restartPolicy', 'Always');
  fill(spec, 'terminationGracePeriodSeconds', 30);
  fill(spec, 'dnsPolicy', 'ClusterFirst');
  if (spec.serviceAccountName && !spec.serviceAccount) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount && !spec.serviceAccountName) spec.serviceAccountName = spec.serviceAccount;
  fill(spec, 'securityContext', {});
  fill(spec, 'schedulerName', 'default-scheduler');
  for (const list of [spec.initContainers, spec.containers, spec.ephemeralContainers])
    for (const container of list ?? []) containerDefaults(container, spec.hostNetwork === true);
  for (const volume of spec.volumes ?? []) volumeDefaults(volume);
}
