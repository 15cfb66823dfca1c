/** Ingress and Gateway API on the embedded engine: who answers a request from a pod, by real nginx. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { embeddedBackend } from '../../src/cluster/embedded/backend.ts';
import { embeddedPackagesFact, userNamespaceFact } from '../../src/doctor/host.ts';
import { Kube, type KubeObject } from '../../src/kube/kube.ts';
import { podManifest, whenReady } from '../../src/run/pods.ts';

const lacks = [await embeddedPackagesFact(), await userNamespaceFact()].find(({ state }) => state === 'lack');
const reason = lacks?.detail.en;

const NAMESPACE = 'web';
const WITHIN = 30_000;

const service = (name: string, app: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NAMESPACE },
  spec: { selector: { app }, ports: [{ port: 80 }] },
});
const path = (at: string, pathType: string, name: string) => ({
  path: at,
  pathType,
  backend: { service: { name, port: { number: 80 } } },
});
const ingress = (
  name: string,
  host: string,
  paths: object[],
  annotations: Record<string, string> = {},
): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: {
    name,
    namespace: NAMESPACE,
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
    ),
  },
  spec: { ingressClassName: 'nginx', rules: [{ host, http: { paths } }] },
});
const manifests = (file: string): KubeObject[] =>
  parseAllDocuments(
    readFileSync(
      fileURLToPath(new URL(`../../cluster-config/addons/gateway/${file}`, import.meta.url)),
      'utf8',
    ),
  )
    .map((document) => document.toJS() as KubeObject | null)
    .filter((one): one is KubeObject => one !== null);

describe.skipIf(reason)(`Ingress and Gateway API${reason ? ` (${reason})` : ''}`, () => {
  let root: string;
  let kube: Kube;

  /** Asks as a client pod until the answer is as wanted; returns the last: the body, or the status of an error. */
  const ask = async (server: string, host: string, at: string, wanted: string): Promise<string> => {
    const argv = [
      'curl',
      '-s',
      '-m',
      '3',
      '-w',
      '\n%{http_code}',
      '-H',
      `Host: ${host}`,
      `http://${server}${at}`,
    ];
    for (const end = performance.now() + WITHIN; ;) {
      const answer = await kube.exec({ namespace: NAMESPACE, name: 'client' }, argv);
      if (!answer.reached) throw new Error(answer.reason);
      const [body, status] = answer.stdout.trim().split('\n').slice(-2);
      const said = status === '200' ? body! : (status ?? body!);
      if (said === wanted || performance.now() > end) return said;
      await delay(100);
    }
  };

  beforeAll(async () => {
    root = mkdtempSync('/tmp/pi-');
    process.env['PODLAB_RUN'] = join(root, 'r');
    process.env['PODLAB_STATE'] = join(root, 's');
    const cluster = await embeddedBackend.up({ name: 'i', cni: 'flannel', proxy: 'iptables', workers: 2 });
    kube = await Kube.open(cluster.kubeconfig);
    await kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    const workers = (await cluster.nodes()).filter((node) => node.role === 'worker');
    const controller = {
      name: 'controller',
      image: 'registry.k8s.io/ingress-nginx/controller:v1.12.1',
      args: ['/nginx-ingress-controller', '--publish-status-address=192.0.2.1'],
      readinessProbe: { httpGet: { path: '/healthz', port: 10254 }, periodSeconds: 1 },
    };
    const pods = {
      client: { node: 0 },
      a: { node: 0, labels: { app: 'a' } },
      b: { node: 1, labels: { app: 'b' } },
      nginx: { node: 1, labels: { app: 'nginx' }, containers: [controller] },
    };
    for (const [name, wish] of Object.entries(pods))
      await kube.create(podManifest(name, wish, NAMESPACE, workers));
    for (const [name, app] of [
      ['a', 'a'],
      ['b', 'b'],
      ['nginx', 'nginx'],
      ['nobody', 'nobody'],
    ] as const)
      await kube.create(service(name, app));
    await kube.create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'nginx' },
      spec: { controller: 'k8s.io/ingress-nginx' },
    });
    await kube.create(
      ingress('paths', 'a.test', [
        path('/', 'Prefix', 'a'),
        path('/hostname', 'Exact', 'b'),
        path('/none', 'Prefix', 'nobody'),
      ]),
    );
    await kube.create(
      ingress('rewrite', 'b.test', [path('/x(/|$)(.*)', 'ImplementationSpecific', 'b')], {
        'use-regex': 'true',
        'rewrite-target': '/$2',
      }),
    );
    await whenReady(kube, NAMESPACE, Object.keys(pods), new AbortController().signal);
    for (const object of [...manifests('crds.yaml'), ...manifests('class.yaml')]) await kube.apply(object);
    const group = 'gateway.networking.k8s.io/v1';
    await kube.apply({
      apiVersion: group,
      kind: 'Gateway',
      metadata: { name: 'gw', namespace: NAMESPACE },
      spec: { gatewayClassName: 'podlab', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
    });
    const match = (type: string, value: string, headers: object[] = []) => [
      { path: { type, value }, headers },
    ];
    await kube.apply({
      apiVersion: group,
      kind: 'HTTPRoute',
      metadata: { name: 'route', namespace: NAMESPACE },
      spec: {
        parentRefs: [{ name: 'gw' }],
        hostnames: ['g.test'],
        rules: [
          { matches: match('PathPrefix', '/'), backendRefs: [{ name: 'a', port: 80 }] },
          { matches: match('Exact', '/hostname'), backendRefs: [{ name: 'b', port: 80 }] },
          {
            matches: match('PathPrefix', '/old'),
            filters: [
              {
                type: 'URLRewrite',
                urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } },
              },
            ],
            backendRefs: [{ name: 'b', port: 80 }],
          },
        ],
      },
    });
  });

  afterAll(async () => {
    kube?.close();
    await embeddedBackend.downAll();
    rmSync(root, { recursive: true, force: true });
  });

  it.each([
    ['nginx', 'a.test', '/hostname', 'b', 'Exact before Prefix'],
    ['nginx', 'a.test', '/hostname/', '404', 'Exact is the path alone; a has no such page'],
    ['nginx', 'a.test', '/echo?msg=hi', 'hi', 'Prefix / takes the rest'],
    ['nginx', 'a.test', '/none/of/it', '503', 'a Service without endpoints'],
    ['nginx', 'b.test', '/x/hostname', 'b', 'rewrite-target'],
    ['nginx', 'nobody.test', '/', '404', 'a host that is nobody’s'],
    ['gw-podlab', 'g.test', '/hostname', 'b', 'Exact before PathPrefix'],
    ['gw-podlab', 'g.test', '/echo?msg=hi', 'hi', 'PathPrefix /'],
    ['gw-podlab', 'g.test', '/old/hostname', 'b', 'ReplacePrefixMatch'],
    ['gw-podlab', 'nobody.test', '/', '404', 'a host without a route'],
  ])('client -> %s, %s%s: %s (%s)', async (server, host, at, wanted) => {
    expect(await ask(server, host, at, wanted)).toBe(wanted);
  });

  it('an Ingress tells its address, a Gateway that it is programmed', async () => {
    const of = (apiVersion: string, kind: string, name: string) =>
      kube.get({ apiVersion, kind, name, namespace: NAMESPACE });
    expect((await of('networking.k8s.io/v1', 'Ingress', 'paths'))?.['status'].loadBalancer.ingress).toEqual([
      { ip: '192.0.2.1' },
    ]);
    const gateway = await of('gateway.networking.k8s.io/v1', 'Gateway', 'gw');
    expect(gateway?.['status'].conditions).toContainEqual(
      expect.objectContaining({ type: 'Programmed', status: 'True' }),
    );
  });
});
