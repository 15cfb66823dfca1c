/** What the kubelet reads of a Pod (Kubernetes API reference, Pod v1). Unknown fields are the API server's affair. */
import type { KubeObject } from '../client/types.ts';
import type { SecurityContext } from './capabilities.ts';

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: {
    fieldRef?: { fieldPath: string };
    resourceFieldRef?: { resource: string; containerName?: string; divisor?: string };
    configMapKeyRef?: { name: string; key: string; optional?: boolean };
    secretKeyRef?: { name: string; key: string; optional?: boolean };
  };
}

export interface Handler {
  exec?: { command?: string[] };
  httpGet?: {
    path?: string;
    port: number | string;
    host?: string;
    scheme?: string;
    httpHeaders?: { name: string; value: string }[];
  };
  tcpSocket?: { port: number | string; host?: string };
  grpc?: { port: number; service?: string };
  sleep?: { seconds: number };
}

export interface Probe extends Handler {
  initialDelaySeconds?: number;
  periodSeconds?: number;
  timeoutSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
  terminationGracePeriodSeconds?: number;
}

export interface ContainerPort {
  name?: string;
  containerPort: number;
  hostPort?: number;
  hostIP?: string;
  protocol?: 'TCP' | 'UDP' | 'SCTP';
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  readOnly?: boolean;
  subPath?: string;
  subPathExpr?: string;
}

export interface ContainerDef {
  name: string;
  image?: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  envFrom?: {
    prefix?: string;
    configMapRef?: { name: string; optional?: boolean };
    secretRef?: { name: string; optional?: boolean };
  }[];
  ports?: ContainerPort[];
  resources?: { limits?: Record<string, string>; requests?: Record<string, string> };
  volumeMounts?: VolumeMount[];
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
  lifecycle?: { postStart?: Handler; preStop?: Handler };
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  securityContext?: SecurityContext;
  stdin?: boolean;
  stdinOnce?: boolean;
  tty?: boolean;
  restartPolicy?: 'Always';
}

export interface KeyToPath {
  key: string;
  path: string;
  mode?: number;
}

export interface VolumeSource {
  configMap?: { name: string; items?: KeyToPath[]; optional?: boolean; defaultMode?: number };
  secret?: {
    secretName?: string;
    name?: string;
    items?: KeyToPath[];
    optional?: boolean;
    defaultMode?: number;
  };
  downwardAPI?: {
    items?: { path: string; fieldRef?: { fieldPath: string }; resourceFieldRef?: ResourceField }[];
  };
  serviceAccountToken?: { path: string; audience?: string; expirationSeconds?: number };
}
export interface ResourceField {
  resource: string;
  containerName?: string;
  divisor?: string;
}

export interface Volume extends VolumeSource {
  name: string;
  emptyDir?: { medium?: string };
  hostPath?: { path: string; type?: string };
  projected?: { sources?: VolumeSource[]; defaultMode?: number };
}

export interface PodSpec {
  nodeName?: string;
  hostname?: string;
  subdomain?: string;
  hostNetwork?: boolean;
  shareProcessNamespace?: boolean;
  restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  terminationGracePeriodSeconds?: number;
  activeDeadlineSeconds?: number;
  serviceAccountName?: string;
  enableServiceLinks?: boolean;
  dnsPolicy?: 'ClusterFirst' | 'ClusterFirstWithHostNet' | 'Default' | 'None';
  dnsConfig?: {
    nameservers?: string[];
    searches?: string[];
    options?: { name: string; value?: string }[];
  };
  hostAliases?: { ip: string; hostnames?: string[] }[];
  securityContext?: SecurityContext & { sysctls?: { name: string; value: string }[]; fsGroup?: number };
  containers: ContainerDef[];
  initContainers?: ContainerDef[];
  ephemeralContainers?: (ContainerDef & { targetContainerName?: string })[];
  volumes?: Volume[];
  readinessGates?: { conditionType: string }[];
}

export type Pod = KubeObject<PodSpec, any>;

/** `namespace/name`, as people write it. */
export const podKey = (pod: Pod): string => `${pod.metadata.namespace}/${pod.metadata.name}`;

/** The host name of a pod's containers. */
export const hostnameOf = (pod: Pod): string => (pod.spec?.hostname ?? pod.metadata.name).slice(0, 63);
