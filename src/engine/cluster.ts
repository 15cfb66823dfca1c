/** Boots a cluster inside its sandbox: machines, API, controllers, node agents, then the objects of kube-system. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { run } from '../exec/run.ts';
import { createApi, type Api } from './api/api.ts';
import { AddressBook } from './calico/ipam.ts';
import { calicoPlugin } from './calico/plugin.ts';
import { createControllers, type ServedResource } from './controllers/index.ts';
import type { Component } from './component.ts';
import { gr, type Client, type KubeObject } from './client/types.ts';
import { type ClusterConfig, FILES, portSocket } from './config.ts';
import { flannelPlugin } from './flannel/index.ts';
import { GatewayController } from './gateway/index.ts';
import { IngressController } from './ingress/index.ts';
import { joinSegment, nodeAddress } from './linux/segment.ts';
import { dnsAddress, staticPods, systemObjects } from './manifests.ts';
import { Cni, type InProcessPlugin } from './node/cni.ts';
import { serveControl } from './node/control.ts';
import { recorder } from './node/events.ts';
import { Kubelet, machineCapacity } from './node/kubelet.ts';
import { Machine, NODE_ENV } from './node/machine.ts';
import { NodesPort } from './node/port.ts';
import type { Pod } from './node/pod-types.ts';
import { makeSandbox, type Sandbox } from './node/sandbox.ts';
import { makeParts, type Parts } from './parts.ts';
import { missing } from './settled.ts';

/** Where pods reach the API server on the control-plane node. */
const API_PORT = 6443;

const onError = (error: unknown): void => console.error('defect:', error);

/** A cluster that runs, for whoever lives in the same process. */
export interface Booted {
  readonly api: Api;
  readonly kubelets: ReadonlyMap<string, Kubelet>;
  readonly parts: Parts;
}

/** @param folder the cluster's run folder @param hostPort where the relay listens on 127.0.0.1 */
export async function boot(folder: string, hostPort: number): Promise<Booted> {
  const config = JSON.parse(readFileSync(join(folder, FILES.config), 'utf8')) as ClusterConfig;
  const sandbox = await makeSandbox(join(folder, FILES.sandbox));
  const machines = config.nodes.map((node, index) => machine(config, node, index, sandbox));
  const kubelets = new Map<string, Kubelet>();
  const port = new NodesPort(kubelets);
  const api = createApi({
    serviceSubnet: config.serviceSubnet,
    apiAddress: machines[0]!.address,
    kubelet: port,
    onError,
  });
  const { client } = api;
  const parts = makeParts(config, client);
  const controllers = [
    ...createControllers({
      client,
      resources: () => served(api),
      caCertificate: api.authority.certificate,
      // Tokens in Secrets have no end; so long as a cluster of ours never lives.
      issueToken: async (account) => api.issueToken(account, 10 * 365 * 86_400),
      log: (line) => console.error(line),
    }),
    new IngressController({ client, kubelet: port, onError }),
    new GatewayController({ client, kubelet: port, onError }),
  ];
  const services = client.informer(gr('services'));
  const capacity = machineCapacity(sandbox.folder);
  for (const one of machines) {
    const plugins = new Map<string, InProcessPlugin>([
      ['flannel', flannelPlugin],
      ['calico', calicoPlugin(new AddressBook(one.podCidr), () => parts.agent(one.name))],
    ]);
    kubelets.set(
      one.name,
      new Kubelet({
        client,
        machine: one,
        cni: new Cni(one, plugins),
        sandboxFolder: sandbox.folder,
        layers: sandbox.layers,
        services,
        parts: parts.factories,
        record: recorder(client, 'kubelet', one.name, onError),
        clusterDns: dnsAddress(config.serviceSubnet),
        clusterDomain: 'cluster.local',
        capacity,
        token: (pod, _audience, seconds) => token(api, pod, seconds),
        onError,
      }),
    );
  }
  await serveControl(
    join(folder, FILES.control),
    control(config, client, machines, kubelets, parts, controllers),
  );
  for (const one of machines) one.openDoor(join(folder, FILES.control));
  await joinSegment(machines);
  await openPorts(folder, config, machines);
  for (const controller of controllers) await controller.start();
  await Promise.all([...kubelets.values()].map((kubelet) => kubelet.start()));
  await Promise.all([
    api.server.listen({ path: join(folder, FILES.api) }),
    api.server.listen({ fd: machines[0]!.net.tcpListener(machines[0]!.address, API_PORT) }),
  ]);
  const server = `https://127.0.0.1:${hostPort}`;
  writeFileSync(config.kubeconfig, api.kubeconfig(config.name, server), { mode: 0o600 });
  await furnish(config, api);
  return { api, kubelets, parts };
}

function machine(
  config: ClusterConfig,
  node: ClusterConfig['nodes'][number],
  index: number,
  sandbox: Sandbox,
): Machine {
  const [a, b] = config.podSubnet.split('.');
  return new Machine(
    {
      name: node.name,
      index,
      address: nodeAddress(index),
      role: node.role,
      podCidr: `${a}.${b}.${index}.0/24`,
      labels: node.labels ?? {},
      tainted: config.nodes.length > 1,
      sandbox: sandbox.folder,
    },
    sandbox.layers,
  );
}

/** Ports of the host that lead to a node: the relay carries them to sockets, from where they go on here. */
async function openPorts(folder: string, config: ClusterConfig, machines: readonly Machine[]): Promise<void> {
  for (const [index, node] of config.nodes.entries()) {
    const { net, address } = machines[index]!;
    for (const { hostPort, containerPort } of node.portMappings ?? []) {
      const server = createServer((client) => {
        const inside = net.connect(address, containerPort);
        client.pipe(inside).pipe(client);
        client.on('error', () => inside.destroy());
        inside.on('error', () => client.destroy());
      });
      await new Promise<void>((resolve) => server.listen(join(folder, portSocket(hostPort)), resolve));
    }
  }
}

/** Every resource that the API serves, custom ones too. */
function served(api: Api): ServedResource[] {
  return [...api.registry.catalog.all()].map(({ group, plural, kind, scope }) => ({
    group,
    resource: plural,
    kind,
    namespaced: scope === 'Namespaced',
  }));
}

/** A projected token: bound to its pod, for an hour unless the volume says otherwise. */
async function token(api: Api, pod: Pod, seconds = 3607): Promise<string> {
  const { name, namespace = 'default', uid = '' } = pod.metadata;
  const account = pod.spec?.serviceAccountName ?? 'default';
  const object = await api.client.get(gr('serviceaccounts'), account, namespace);
  if (object === undefined) throw new Error(`serviceaccount "${account}" not found`);
  const of = { namespace, name: account, uid: object.metadata.uid ?? '', pod: { name, uid } };
  return api.issueToken(of, seconds);
}

/** The objects that kubeadm and the network's manifest would bring. */
async function furnish(config: ClusterConfig, api: Api): Promise<void> {
  const create = (object: KubeObject) => {
    const served = api.registry.catalog.byKind(object.apiVersion, object.kind);
    if (served === undefined) throw new Error(`no resource for ${object.apiVersion} ${object.kind}`);
    api.registry.create(served.resource, object);
  };
  for (const object of systemObjects(config)) create(object);
  const first = config.nodes[0]!.name;
  const node = await api.client.get(gr('nodes'), first);
  for (const pod of staticPods(first, node?.metadata.uid ?? '')) create(pod);
}

function control(
  config: ClusterConfig,
  client: Client,
  machines: readonly Machine[],
  kubelets: ReadonlyMap<string, Kubelet>,
  parts: Parts,
  controllers: readonly Component[],
): Parameters<typeof serveControl>[1] {
  const all = () => [...kubelets.values(), ...parts.components, ...controllers];
  return {
    run: async ({ node, argv = [], input, timeout = 30_000 }, signal) => {
      const one = machines.find((candidate) => candidate.name === node);
      if (one === undefined)
        return { ...(await run(['false'])), code: undefined, ok: false, argv, broken: `no node ${node}` };
      const bytes = input === undefined ? {} : { input: Buffer.from(input, 'base64') };
      const ran = await one.run(argv, { env: NODE_ENV, timeout, signal, ownGroup: true, ...bytes });
      return notFound(argv, ran);
    },
    settled: async (timeout, signal) => {
      const until = Date.now() + timeout;
      for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
        const lacks = await missing(config, client, parts);
        if (lacks.length === 0 || Date.now() > until || signal.aborted) return lacks;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    },
    nodes: () => machines.map(({ name, address, role, podCidr }) => ({ name, address, role, podCidr })),
    components: () => all().map(({ name, node, running }) => ({ name, node, running })),
    switch: async (name, node, on) => {
      const here = (one: Component) => node === undefined || one.node === undefined || one.node === node;
      // A node that has none of it has nothing to do, as when a signal finds no process.
      const wanted = all().filter((one) => one.name === name && here(one));
      if (!all().some((one) => one.name === name)) throw new Error(`no component ${name}`);
      await Promise.all(wanted.map((one) => (on ? one.start() : one.stop())));
    },
  };
}

/** chroot(1) says with code 127 that there is no such program: a command that could not be run at all. */
function notFound(
  argv: readonly string[],
  ran: Awaited<ReturnType<typeof run>>,
): Awaited<ReturnType<typeof run>> {
  const missingProgram = ran.code === 127 && ran.stderr.startsWith('/usr/sbin/chroot: failed to run command');
  if (!missingProgram) return { ...ran, argv };
  return { ...ran, argv, code: undefined, ok: false, broken: `${argv[0]}: not found` };
}
