import { expect, test } from 'vitest';
import { createApi } from '../../../src/engine/api/api.ts';
import { gr, type KubeObject } from '../../../src/engine/client/types.ts';

const pod = (name: string, spec: object = {}, container: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'nginx:1.27', ...container }], ...spec },
});
const policy = (spec: object): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'np', namespace: 'default' },
  spec,
});
const netpols = gr('networkpolicies', 'networking.k8s.io');

test.each([
  [
    { podSelector: {}, ingress: [{ ports: [{ port: 80, endPort: 79 }] }] },
    'spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`',
  ],
  [
    { podSelector: {}, ingress: [{ ports: [{ port: 'http', endPort: 80 }] }] },
    'may not be specified when `port` is non-numeric',
  ],
  [{ podSelector: {}, egress: [{ to: [{}] }] }, 'spec.egress[0].to[0]: Required value: must specify a peer'],
  [
    { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/33' } }] }] },
    'must be a valid CIDR value',
  ],
  [
    { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }] }] },
    'must be a strict subset of `cidr`',
  ],
  [
    { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }] }] },
    'may not specify both ipBlock and another peer',
  ],
  [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } }, 'not a valid selector operator'],
  [
    { podSelector: {}, policyTypes: ['Sideways'] },
    'spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Egress", "Ingress"',
  ],
])('NetworkPolicy %j is refused', async (spec, message) => {
  await expect(createApi().client.create(netpols, policy(spec))).rejects.toThrow(message);
});

test('policyTypes default to Ingress, and to both when there are egress rules', async () => {
  const { client } = createApi();
  expect((await client.create(netpols, policy({}))).spec.policyTypes).toEqual(['Ingress']);
  const both = policy({ egress: [{}] });
  both.metadata.name = 'both';
  expect((await client.create(netpols, both)).spec.policyTypes).toEqual(['Ingress', 'Egress']);
});

test('a pod may change its image and get a node, and nothing else', async () => {
  const { client } = createApi();
  await client.create(gr('pods'), pod('p'));
  await client.patch(gr('pods'), 'p', 'default', { spec: { nodeName: 'n' } });
  await expect(client.patch(gr('pods'), 'p', 'default', { spec: { nodeName: 'm' } })).rejects.toThrow(
    'pod updates may not change fields other than',
  );
  await expect(client.patch(gr('pods'), 'p', 'default', { spec: { hostNetwork: true } })).rejects.toThrow(
    'may not change',
  );
});

test.each([
  [pod('P'), 'metadata.name: Invalid value: "P": a lowercase RFC 1123 subdomain'],
  [pod('p', { containers: [] }), 'spec.containers: Required value'],
  [
    pod('p', {}, { ports: [{ containerPort: 0 }] }),
    'spec.containers[0].ports[0].containerPort: Invalid value: 0',
  ],
  [pod('p', {}, { image: '' }), 'spec.containers[0].image: Required value'],
  [
    pod('p', { restartPolicy: 'Maybe' }),
    'Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"',
  ],
  [
    pod('p', {
      volumes: [{ name: 'v', configMap: { name: 'm', items: [{ key: 'k', path: '../../etc/passwd' }] } }],
    }),
    "must not contain '..'",
  ],
  [
    pod('p', {}, { volumeMounts: [{ name: 'x', mountPath: '/x' }] }),
    'spec.containers[0].volumeMounts[0].name: Not found: "x"',
  ],
  [pod('p', { dnsPolicy: 'None' }), 'spec.dnsConfig.nameservers: Required value'],
  [
    pod('p', { hostNetwork: true }, { ports: [{ containerPort: 80, hostPort: 81 }] }),
    'must match `hostPort` when `hostNetwork` is true',
  ],
])('%j is refused', async (object, message) => {
  await expect(createApi().client.create(gr('pods'), object)).rejects.toThrow(message);
});

test('limits of a namespace give defaults, quotas count', async () => {
  const { client } = createApi();
  const make = (kind: string, spec: object) => ({
    apiVersion: 'v1',
    kind,
    metadata: { name: 'x', namespace: 'default' },
    spec,
  });
  await client.create(
    gr('limitranges'),
    make('LimitRange', {
      limits: [{ type: 'Container', default: { memory: '64Mi' }, max: { memory: '1Gi' } }],
    }),
  );
  await client.create(
    gr('resourcequotas'),
    make('ResourceQuota', { hard: { pods: '2', 'limits.memory': '100Mi' } }),
  );
  const first = await client.create(gr('pods'), pod('a'));
  expect(first.spec.containers[0].resources).toEqual({
    limits: { memory: '64Mi' },
    requests: { memory: '64Mi' },
  });
  await expect(client.create(gr('pods'), pod('b'))).rejects.toThrow(
    'exceeded quota: x, requested: limits.memory=64Mi, used: limits.memory=64Mi, limited: limits.memory=100Mi',
  );
  const quota = await client.get(gr('resourcequotas'), 'x', 'default');
  expect(quota?.status.used).toEqual({ pods: '1', 'limits.memory': '64Mi' });
  await expect(
    client.create(gr('pods'), pod('c', {}, { resources: { limits: { memory: '2Gi' } } })),
  ).rejects.toThrow('maximum memory usage per Container is 1Gi, but limit is 2Gi');
});

test('a namespace that is going takes nothing new, and some cannot go', async () => {
  const { client } = createApi();
  await client.create(gr('namespaces'), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
  expect(
    (await client.list(gr('serviceaccounts'), { namespace: 'n' })).map((one) => one.metadata.name),
  ).toEqual(['default']);
  await client.delete(gr('namespaces'), 'n');
  await expect(
    client.create(gr('configmaps'), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm', namespace: 'n' },
    }),
  ).rejects.toThrow('because it is being terminated');
  await client.patch(gr('namespaces'), 'n', undefined, { spec: { finalizers: null } }, 'finalize');
  expect(await client.get(gr('namespaces'), 'n')).toBeUndefined();
  await expect(client.delete(gr('namespaces'), 'default')).rejects.toThrow(
    'this namespace may not be deleted',
  );
});

test('kinds of other products that would change the network are refused with the way out', async () => {
  const { client } = createApi();
  await client.create(gr('customresourcedefinitions', 'apiextensions.k8s.io'), {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'globalnetworkpolicies.crd.projectcalico.org' },
    spec: {
      group: 'crd.projectcalico.org',
      scope: 'Cluster',
      names: { plural: 'globalnetworkpolicies', kind: 'GlobalNetworkPolicy' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  });
  await expect(
    client.create(gr('globalnetworkpolicies', 'crd.projectcalico.org'), {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'GlobalNetworkPolicy',
      metadata: { name: 'deny' },
      spec: { selector: 'all()' },
    }),
  ).rejects.toThrow(/--cluster kind/);
});
