/** A line about each kind, in our own words, for `kubectl explain`. */

const KINDS: Readonly<Record<string, string>> = {
  'core.v1.Pod': 'A group of containers that run together on one node and share its network namespace.',
  'core.v1.PodSpec': 'What should run in a pod, and where.',
  'core.v1.PodStatus': 'What was last seen of a pod.',
  'core.v1.Container': 'One container of a pod: image, command, ports, environment, probes.',
  'core.v1.Service': 'A stable address and name for a changing set of pods.',
  'core.v1.ServiceSpec': 'Which pods a Service leads to, on which ports, and from where it can be reached.',
  'core.v1.ServicePort': 'One port of a Service and the port of the pods that it leads to.',
  'core.v1.Endpoints': 'The addresses behind a Service; deprecated in favour of EndpointSlice.',
  'core.v1.Node': 'A machine that runs pods.',
  'core.v1.Namespace': 'A scope for names; most objects live in one.',
  'core.v1.ConfigMap': 'Configuration that pods read as files or environment.',
  'core.v1.Secret': 'Confidential data that pods read as files or environment.',
  'core.v1.ServiceAccount': 'An identity for what runs in pods.',
  'core.v1.Event': 'A report of something that happened to an object.',
  'core.v1.ReplicationController': 'Keeps a number of equal pods running; superseded by ReplicaSet.',
  'core.v1.PersistentVolume': 'A piece of storage of the cluster.',
  'core.v1.PersistentVolumeClaim': 'A request for storage.',
  'apps.v1.Deployment':
    'Keeps a number of equal pods running and replaces them step by step when their template changes.',
  'apps.v1.ReplicaSet': 'Keeps a number of equal pods running.',
  'apps.v1.StatefulSet': 'Runs pods with stable names and storage, one after another.',
  'apps.v1.DaemonSet': 'Runs one pod on each node.',
  'batch.v1.Job': 'Runs pods until a number of them has succeeded.',
  'batch.v1.CronJob': 'Creates a Job at the times of a schedule.',
  'networking.v1.NetworkPolicy': 'Says which traffic pods may receive and send.',
  'networking.v1.NetworkPolicySpec': 'The pods that a policy is about, and the traffic that it allows.',
  'networking.v1.NetworkPolicyPort': 'A port, a named port, or a range of ports (endPort).',
  'networking.v1.NetworkPolicyPeer':
    'Pods by label and namespace, or a block of addresses; selectors together mean both.',
  'networking.v1.Ingress': 'HTTP routes from outside to Services.',
  'networking.v1.IngressClass': 'Which controller serves an Ingress.',
  'discovery.v1.EndpointSlice': 'Addresses behind a Service with their conditions.',
  'policy.v1.PodDisruptionBudget': 'How many pods of a set may be evicted at once.',
  'meta.v1.ObjectMeta': 'What every object has: name, namespace, labels, annotations, owners, versions.',
  'meta.v1.LabelSelector': 'A choice of objects by their labels; all conditions have to hold.',
  'apiextensions.v1.CustomResourceDefinition': 'Adds a kind of object to the API.',
};

export const describe = (type: string): string => {
  const [group = '', version = '', kind = ''] = type.split('.');
  return KINDS[type] ?? `${kind} of the API group ${group === 'core' ? 'core' : group}/${version}.`;
};
