/** The API server asked by clients that know nothing of it: kubectl, and @kubernetes/client-node. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { spawn } from 'node:child_process';
import * as k8s from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApi } from '../../src/engine/api/api.ts';
import type { KubeletPort } from '../../src/engine/api/kubelet-port.ts';
import { gr } from '../../src/engine/client/types.ts';
import { run, which } from '../../src/exec/run.ts';

/** Runs commands on this machine, without a sandbox: only what the tests themselves ask for. */
const kubelet: KubeletPort = {
  exec: (_pod, _container, argv, io) =>
    new Promise((resolve, reject) => {
      const child = spawn(argv[0] as string, argv.slice(1), { stdio: 'pipe' });
      child.on('error', reject);
      child.stdin.on('error', () => undefined);
      if (io.stdin) io.stdin.pipe(child.stdin);
      else child.stdin.end();
      child.stdout.on('data', (data: Buffer) => io.stdout?.write(data));
      child.stderr.on('data', (data: Buffer) => (io.stderr ?? io.stdout)?.write(data));
      io.onResize((size) => io.stdout?.write(`size ${size.width}x${size.height}\n`));
      io.signal.addEventListener('abort', () => child.kill());
      child.on('close', (code) => resolve({ exitCode: code ?? 137 }));
    }),
  attach: (_pod, _container, io) => {
    io.stdout?.write('attached\n');
    return Promise.resolve({ exitCode: 0 });
  },
  logs: (_pod, _container, options) => Promise.resolve(Readable.from([`tail ${options.tailLines}\n`])),
  portForward: (_pod, port) =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket));
      socket.on('error', reject);
    }),
};

const folder = mkdtempSync(join(tmpdir(), 'api-'));
const api = createApi({ kubelet });
const kubeconfig = join(folder, 'config');
const config = new k8s.KubeConfig();
let kubectl: string | undefined;

const ctl = async (args: string[], input?: string) =>
  run([kubectl as string, ...args], {
    env: { ...process.env, KUBECONFIG: kubeconfig, HOME: folder },
    input,
    timeout: 60_000,
  });
/** What kubectl said on standard output; fails when it failed. */
const ok = async (args: string[], input?: string): Promise<string> => {
  const ran = await ctl(args, input);
  expect(ran.stderr.replace(/^Warning:.*\n/gm, '')).toBe('');
  expect(ran.code).toBe(0);
  return ran.stdout.trim();
};

beforeAll(async () => {
  kubectl = await which('kubectl');
  const port = await api.server.listen({ host: '127.0.0.1', port: 0 });
  writeFileSync(kubeconfig, api.kubeconfig('test', `https://127.0.0.1:${port}`), { mode: 0o600 });
  config.loadFromFile(kubeconfig);
  await api.client.create(gr('pods'), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', labels: { app: 'x' } },
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'busybox' }] },
  });
  await api.client.patch(
    gr('pods'),
    'p',
    'default',
    { status: { phase: 'Running', podIP: '10.244.0.9' } },
    'status',
  );
});
afterAll(async () => {
  await api.server.close();
  rmSync(folder, { recursive: true });
});

const DEPLOYMENT = (replicas: number, image = 'nginx') => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: ${image}, ports: [{containerPort: 80}]}]}
`;

test('kubectl apply, diff, get, scale, patch, label, wait, delete', async () => {
  expect(await ok(['apply', '-f', '-'], DEPLOYMENT(2))).toBe('deployment.apps/web created');
  expect(await ok(['apply', '-f', '-'], DEPLOYMENT(2))).toBe('deployment.apps/web unchanged');
  const diff = await ctl(['diff', '-f', '-'], DEPLOYMENT(3));
  expect(diff.code).toBe(1);
  expect(diff.stdout).toContain('+  replicas: 3');
  expect(await ok(['apply', '-f', '-'], DEPLOYMENT(3))).toBe('deployment.apps/web configured');
  expect(await ok(['scale', 'deployment', 'web', '--replicas=4'])).toBe('deployment.apps/web scaled');
  expect(await ok(['get', 'deploy', 'web', '--no-headers'])).toMatch(/^web +0\/4 +0 +0 +\d+s$/);
  await ok(['set', 'image', 'deployment/web', 'nginx=busybox']);
  await ok(['label', 'deployment', 'web', 'tier=front']);
  await ok(['annotate', 'deployment', 'web', 'note=yes']);
  await ok([
    'patch',
    'deployment',
    'web',
    '--type=json',
    '-p',
    '[{"op":"replace","path":"/spec/replicas","value":1}]',
  ]);
  expect(
    await ok([
      'get',
      'deploy',
      '-l',
      'tier in (front)',
      '-o',
      'jsonpath={.items[0].spec.replicas} {.items[0].spec.template.spec.containers[0].image}',
    ]),
  ).toBe('1 busybox');
  expect(await ok(['delete', 'deployment', 'web'])).toContain('deleted');
});

test('server-side apply: conflicts are told, force takes over', async () => {
  expect(await ok(['apply', '--server-side', '-f', '-'], DEPLOYMENT(2))).toBe(
    'deployment.apps/web serverside-applied',
  );
  const other = await ctl(['apply', '--server-side', '--field-manager=other', '-f', '-'], DEPLOYMENT(5));
  expect(other.code).toBe(1);
  expect(other.stderr).toContain('conflict with "kubectl": .spec.replicas');
  await ok(
    ['apply', '--server-side', '--field-manager=other', '--force-conflicts', '-f', '-'],
    DEPLOYMENT(5),
  );
  expect(await ok(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'])).toBe('5');
  await ok(['delete', 'deployment', 'web']);
});

test("the article's v1beta1 NetworkPolicy fails as on Kubernetes", async () => {
  const policy =
    'apiVersion: networking.k8s.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: np}\nspec: {podSelector: {}}\n';
  const ran = await ctl(['apply', '-f', '-'], policy);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('no matches for kind "NetworkPolicy" in version "networking.k8s.io/v1beta1"');
});

test('what is wrong with a manifest is said with its path', async () => {
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: {name: Bad_Name}\nspec: {ports: [{port: 99999}, {port: 80}]}\n';
  const ran = await ctl(['apply', '-f', '-'], service);
  expect(ran.stderr).toContain('The Service "Bad_Name" is invalid');
  for (const text of [
    'spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive',
    'spec.ports[1].name: Required value',
    'metadata.name: Invalid value: "Bad_Name": a DNS-1035 label',
  ])
    expect(ran.stderr).toContain(text);
  const unknown = await ctl(['apply', '-f', '-'], DEPLOYMENT(1).replace('replicas', 'replicsa'));
  expect(unknown.stderr).toContain('strict decoding error: unknown field "spec.replicsa"');
});

test('a field that the engine cannot honour is refused or warned about', async () => {
  const hook =
    'apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {name: m}\nwebhooks: [{name: a.b.c, clientConfig: {url: "https://x"}, sideEffects: None, admissionReviewVersions: [v1]}]\n';
  expect((await ctl(['apply', '-f', '-'], hook)).stderr).toMatch(/webhooks: Forbidden: .*--cluster kind/);
  const pod =
    'apiVersion: v1\nkind: Pod\nmetadata: {name: h}\nspec: {hostPID: true, containers: [{name: c, image: busybox}]}\n';
  expect((await ctl(['apply', '-f', '-'], pod)).stderr).toContain('Warning: spec.hostPID:');
  await ok(['delete', 'pod', 'h']);
});

describe.each(['WebSocket', 'SPDY'])('over %s', (wire) => {
  beforeAll(() => {
    const on = String(wire === 'WebSocket');
    process.env['KUBECTL_REMOTE_COMMAND_WEBSOCKETS'] = on;
    process.env['KUBECTL_PORT_FORWARD_WEBSOCKETS'] = on;
  });

  test('exec and logs', async () => {
    expect(await ok(['logs', 'p', '--tail=3'])).toBe('tail 3');
    const ran = await ctl(['exec', '-i', 'p', '--', 'sh', '-c', 'cat; echo err >&2; exit 3'], 'hello');
    expect(ran).toMatchObject({ code: 3, stdout: 'hello' });
    expect(ran.stderr).toContain('err\ncommand terminated with exit code 3');
    const big = 'x'.repeat(3_000_000);
    expect((await ctl(['exec', '-i', 'p', '--', 'wc', '-c'], big)).stdout.trim()).toBe('3000000');
    expect((await ctl(['exec', 'p', '--', 'head', '-c', '3000000', '/dev/zero'])).stdout.length).toBe(
      3_000_000,
    );
  });

  test('port-forward carries bytes both ways', async () => {
    const echo = createServer((socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const { port } = echo.address() as { port: number };
    const forward = spawn(kubectl as string, ['port-forward', 'p', `:${port}`], {
      env: { ...process.env, KUBECONFIG: kubeconfig, HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const local = await new Promise<number>((resolve, reject) => {
        forward.stdout.on('data', (data: Buffer) => {
          const found = /127\.0\.0\.1:(\d+)/.exec(data.toString());
          if (found) resolve(Number(found[1]));
        });
        forward.on('close', () => reject(new Error('kubectl port-forward ended')));
      });
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(local, '127.0.0.1', () => socket.write('ping'));
        socket.on('data', (data) => resolve(data.toString()));
        socket.on('error', reject);
      });
      expect(answer).toBe('ping');
    } finally {
      forward.kill();
      echo.close();
    }
  });
});

test('explain, api-resources, auth can-i, create token, dry runs', async () => {
  expect(await ok(['explain', 'networkpolicy.spec.ingress.ports'])).toContain('endPort\t<integer>');
  expect(await ok(['api-resources', '--no-headers', '-o', 'name'])).toContain(
    'networkpolicies.networking.k8s.io',
  );
  expect(await ok(['auth', 'can-i', 'create', 'pods'])).toBe('yes');
  expect(await ok(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])).toBe('kubernetes-admin');
  expect((await ok(['create', 'token', 'default'])).split('.')).toHaveLength(3);
  expect(await ok(['create', 'configmap', 'dry', '--from-literal=a=b', '--dry-run=server'])).toContain(
    'server dry run',
  );
  expect((await ctl(['get', 'configmap', 'dry'])).stderr).toContain('configmaps "dry" not found');
});

test('custom resources: printed, pruned, defaulted, validated, and gone with their definition', async () => {
  const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties: {size: {type: integer, minimum: 1}, colour: {type: string, default: red, enum: [red, blue]}}
          status: {type: object, properties: {size: {type: integer}}}
`;
  const widget = (size: unknown, more = '') =>
    `apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: ${String(size)}${more}}\n`;
  await ok(['apply', '-f', '-'], definition);
  await ok(['wait', '--for=condition=Established', 'crd/widgets.example.com']);
  expect((await ctl(['apply', '-f', '-'], widget(0))).stderr).toContain(
    'spec.size in body should be greater than or equal to 1',
  );
  expect((await ctl(['apply', '-f', '-'], widget('"a"'))).stderr).toContain(
    'spec.size in body must be of type integer: "string"',
  );
  expect((await ctl(['apply', '-f', '-'], widget(1, ', x: 1'))).stderr).toContain('unknown field "spec.x"');
  await ok(['apply', '-f', '-'], widget(2));
  expect(await ok(['get', 'wd', '--no-headers'])).toMatch(/^w +2$/);
  expect(await ok(['get', 'wd', 'w', '-o', 'jsonpath={.spec.colour}'])).toBe('red');
  await ok(['scale', 'widget', 'w', '--replicas=5']);
  expect(await ok(['get', 'wd', 'w', '-o', 'jsonpath={.spec.size}'])).toBe('5');
  expect(await ok(['explain', 'widget.spec.size'])).toContain('integer');
  await ok(['delete', 'crd', 'widgets.example.com']);
  expect((await ctl(['get', 'wd'])).stderr).toMatch(
    /could not find the requested resource|doesn't have a resource type/,
  );
});

test('client-node: list, watch with resourceVersion, exec', async () => {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const listed = await core.listNamespacedPod({ namespace: 'default' });
  const seen: string[] = [];
  const watch = new k8s.Watch(config);
  const stop = await watch.watch(
    '/api/v1/namespaces/default/configmaps',
    { resourceVersion: listed.metadata?.resourceVersion },
    (type, object: k8s.V1ConfigMap) => seen.push(`${type} ${object.metadata?.name}`),
    () => undefined,
  );
  await core.createNamespacedConfigMap({
    namespace: 'default',
    body: { metadata: { name: 'm' }, data: { a: 'b' } },
  });
  await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'm' });
  await expect.poll(() => seen).toEqual(['ADDED m', 'DELETED m']);
  stop.abort();
  const out = new PassThrough();
  let text = '';
  out.on('data', (data: Buffer) => (text += data.toString()));
  const status = await new Promise<k8s.V1Status>((resolve, reject) => {
    new k8s.Exec(config)
      .exec('default', 'p', 'c', ['sh', '-c', 'echo out; exit 4'], out, null, null, false, resolve)
      .catch(reject);
  });
  expect(status.details?.causes?.[0]?.message).toBe('4');
  expect(text).toBe('out\n');
});
