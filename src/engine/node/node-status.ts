/** A Node as its kubelet registers and tells it (API reference, Node v1). */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../client/types.ts';
import type { Machine } from './machine.ts';
import { apiTime } from './record.ts';

export function nodeObject(machine: Machine): KubeObject {
  const controlPlane = machine.role === 'control-plane';
  const labels: Record<string, string> = {
    'beta.kubernetes.io/arch': 'amd64',
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
    'kubernetes.io/hostname': machine.name,
    'kubernetes.io/os': 'linux',
    ...(controlPlane
      ? {
          'node-role.kubernetes.io/control-plane': '',
          'node.kubernetes.io/exclude-from-external-load-balancers': '',
        }
      : {}),
    ...machine.labels,
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: machine.name,
      labels,
      annotations: {
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
      },
    },
    spec: {
      podCIDR: machine.podCidr,
      podCIDRs: [machine.podCidr],
      providerID: `kind://docker/${machine.name.replace(/-(control-plane|worker)\d*$/, '')}/${machine.name}`,
      ...(controlPlane && machine.tainted
        ? { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }
        : {}),
    },
  };
}

interface Condition {
  type: string;
  status: string;
  lastHeartbeatTime: string;
  lastTransitionTime: string;
  reason: string;
  message: string;
}

export interface NodeFacts {
  readonly networkReady: boolean;
  readonly kubeletVersion: string;
  readonly kernel: string;
  readonly architecture: string;
}

export function nodeStatus(
  machine: Machine,
  capacity: { readonly cpu: string; readonly memory: string; readonly disk?: string },
  old: KubeObject | undefined,
  facts: NodeFacts,
): Record<string, unknown> {
  const now = apiTime(new Date());
  const before = (old?.status?.conditions ?? []) as Condition[];
  const condition = (type: string, status: string, reason: string, message: string): Condition => {
    const was = before.find((one) => one.type === type);
    return {
      type,
      status,
      lastHeartbeatTime: now,
      lastTransitionTime: was?.status === status ? was.lastTransitionTime : now,
      reason,
      message,
    };
  };
  const quantities = {
    cpu: capacity.cpu,
    'ephemeral-storage': capacity.disk ?? '0',
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: capacity.memory,
    pods: '110',
  };
  const id = createHash('md5').update(machine.name).digest('hex');
  const own = [
    condition(
      'MemoryPressure',
      'False',
      'KubeletHasSufficientMemory',
      'kubelet has sufficient memory available',
    ),
    condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    facts.networkReady
      ? condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : condition(
          'Ready',
          'False',
          'KubeletNotReady',
          'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
        ),
  ];
  const types = new Set(own.map((one) => one.type));
  return {
    addresses: [
      { type: 'InternalIP', address: machine.address },
      { type: 'Hostname', address: machine.name },
    ],
    capacity: quantities,
    allocatable: quantities,
    conditions: [...before.filter((one) => !types.has(one.type)), ...own],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      architecture: facts.architecture,
      bootID: `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`,
      containerRuntimeVersion: 'containerd://2.1.1',
      kernelVersion: facts.kernel,
      kubeProxyVersion: '',
      kubeletVersion: facts.kubeletVersion,
      machineID: id,
      operatingSystem: 'linux',
      osImage: 'podlab embedded engine',
      systemUUID: `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`,
    },
  };
}
