/** The parts of the engine that run as pods: what each image of the catalogue with a `component` does. */
import { createSocket } from 'node:dgram';
import type { Server } from 'node:net';
import { start } from '../exec/child.ts';
import { run } from '../exec/run.ts';
import { CalicoNode, type NodeProcess } from './calico/index.ts';
import { gr, type Client } from './client/types.ts';
import type { Component } from './component.ts';
import type { ClusterConfig } from './config.ts';
import { createCoreDns } from './dns/index.ts';
import { Flanneld } from './flannel/index.ts';
import type { NetNamespace } from './linux/netns.ts';
import { NODE_ENV, type Machine } from './node/machine.ts';
import type { PartFactory } from './node/running.ts';
import { createKubeProxy, type KubeProxy, type ProxyMode } from './proxy/index.ts';

/** Makes a server listen in a network namespace. */
export function listenIn(
  net: NetNamespace,
  server: Server,
  port: number,
  address = '0.0.0.0',
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd: net.tcpListener(address, port) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Parts that are at work now, so that they can be asked and switched. */
export interface Parts {
  readonly factories: ReadonlyMap<string, PartFactory>;
  readonly components: ReadonlySet<Component>;
  /** The policy agent of a node, while it runs. */
  agent(node: string): CalicoNode | undefined;
  /** BGP sessions that are not Established, a few words each. */
  sessionsDown(): Promise<string[]>;
  proxies(): Pick<KubeProxy, 'settled'>[];
}

export function makeParts(config: ClusterConfig, client: Client): Parts {
  const components = new Set<Component>();
  /** Keeps a component among those at work as long as its pod runs. */
  const atWork = (component: Component): Pick<Component, 'start' | 'stop'> => ({
    start: () => {
      components.add(component);
      return component.start();
    },
    stop: () => {
      components.delete(component);
      return component.stop();
    },
  });
  const exec = (machine: Machine) => (argv: readonly string[], input?: string) =>
    machine.run(argv, input === undefined ? {} : { input });
  const factories = new Map<string, PartFactory>();
  factories.set('kube-proxy', ({ machine, log }) =>
    atWork(
      new ConfiguredProxy(machine.name, async () =>
        createKubeProxy({
          client,
          node: machine.name,
          nodeIP: machine.address,
          mode: await proxyMode(client),
          clusterCIDR: config.podSubnet,
          serviceCIDR: config.serviceSubnet,
          exec: exec(machine),
          listen: (server, port, address) => listenIn(machine.net, server, port, address),
          log,
        }),
      ),
    ),
  );
  factories.set('coredns', ({ machine, net }) =>
    atWork(
      createCoreDns({
        client,
        node: machine.name,
        sockets: {
          udp: (port) =>
            new Promise((resolve, reject) => {
              const socket = createSocket('udp4');
              socket.once('error', reject);
              socket.bind({ fd: net.udpSocket('0.0.0.0', port) }, () => {
                socket.off('error', reject);
                resolve(socket);
              });
            }),
          listen: (server, port) => listenIn(net, server, port),
        },
      }),
    ),
  );
  factories.set('flanneld', ({ machine, log }) =>
    atWork(
      new Flanneld({
        client,
        machine,
        mode: config.cni === 'flannel-host-gw' ? 'host-gw' : 'vxlan',
        podSubnet: config.podSubnet,
        log,
      }),
    ),
  );
  const agents = new Map<string, CalicoNode>();
  factories.set('calico-node', ({ machine, log }) => {
    const agent = calicoAgent(config, client, machine, log);
    agents.set(machine.name, agent);
    return atWork(withConflist(agent, machine, config));
  });
  for (const name of [
    'etcd',
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'calico-kube-controllers',
  ])
    factories.set(name, () => ({ start: async () => undefined, stop: async () => undefined }));
  return {
    factories,
    components,
    agent: (node) => (agents.get(node)?.running ? agents.get(node) : undefined),
    sessionsDown: async () => {
      const found = await Promise.all([...agents.values()].map((agent) => sessionsDown(agent)));
      return found.flat();
    },
    proxies: () => [...components].filter((one) => one instanceof ConfiguredProxy),
  };
}

/** kube-proxy's mode, as its ConfigMap says now (KubeProxyConfiguration `mode`). */
async function proxyMode(client: Client): Promise<ProxyMode> {
  const map = await client.get(gr('configmaps'), 'kube-proxy', 'kube-system');
  const conf = String(map?.['data']?.['config.conf'] ?? '');
  return /^mode:\s*"?nftables"?\s*$/m.test(conf) ? 'nftables' : 'iptables';
}

/** kube-proxy reads its configuration when it starts: each start makes a new one. */
class ConfiguredProxy implements Component {
  readonly name = 'kube-proxy';
  readonly node: string;
  readonly #make: () => Promise<KubeProxy>;
  #proxy: KubeProxy | undefined;

  constructor(node: string, make: () => Promise<KubeProxy>) {
    this.node = node;
    this.#make = make;
  }

  get running(): boolean {
    return this.#proxy?.running ?? false;
  }

  async start(): Promise<void> {
    if (this.running) return;
    this.#proxy = await this.#make();
    await this.#proxy.start();
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
  }

  /** Resolves when what is known is in the kernel; at once while it is stopped. */
  async settled(): Promise<void> {
    if (this.running) await this.#proxy?.settled();
  }
}

/** calico's CNI configuration, as its install-cni container writes it. */
const conflist = (mtu: number): string =>
  `${JSON.stringify(
    {
      name: 'k8s-pod-network',
      cniVersion: '0.3.1',
      plugins: [
        {
          type: 'calico',
          log_level: 'info',
          datastore_type: 'kubernetes',
          mtu,
          ipam: { type: 'calico-ipam' },
          policy: { type: 'k8s' },
        },
        { type: 'portmap', snat: true, capabilities: { portMappings: true } },
      ],
    },
    undefined,
    2,
  )}\n`;

/** Asks BIRD for its sessions (`show protocols`: name, protocol, table, state, since, info). */
async function sessionsDown(agent: CalicoNode): Promise<string[]> {
  if (!agent.running) return [];
  if (agent.birdSocket === undefined) return [`bird on ${agent.node} does not run yet`];
  const ran = await run(['birdc', '-r', '-s', agent.birdSocket, 'show', 'protocols'], { timeout: 2_000 });
  if (!ran.ok) return [`bird on ${agent.node} does not answer yet`];
  const lines = ran.stdout.split('\n').filter((line) => /\sBGP\s/.test(line));
  return lines
    .filter((line) => !line.includes('Established'))
    .map((line) => `BGP session ${line.split(/\s+/)[0]} on ${agent.node} is not Established`);
}

function calicoAgent(
  config: ClusterConfig,
  client: Client,
  machine: Machine,
  log: (line: string) => void,
): CalicoNode {
  return new CalicoNode({
    client,
    node: machine.name,
    mode: config.cni === 'calico-vxlan' ? 'vxlan' : 'bgp',
    poolCidr: config.podSubnet,
    exec: (argv, input) => machine.run(argv, input === undefined ? {} : { input }),
    bird: { folder: machine.path('/run/calico'), spawn: (argv) => spawnOn(machine, argv) },
    onError: (error) => log(String(error)),
  });
}

/** As install-cni does: once the agent is at work pods can be wired, and their rules come first. */
const withConflist = (agent: CalicoNode, machine: Machine, config: ClusterConfig): Component => ({
  name: agent.name,
  node: machine.name,
  get running() {
    return agent.running;
  },
  start: async () => {
    await agent.start();
    const mtu = config.cni === 'calico-vxlan' ? 1450 : 1500;
    machine.writeFile('/etc/cni/net.d/10-calico.conflist', conflist(mtu));
  },
  stop: () => agent.stop(),
});

/** A long-running program in a node's network; it sees the engine's files, for its configuration lies there. */
function spawnOn(machine: Machine, argv: readonly string[]): NodeProcess {
  const child = machine.net.in(() => start(argv, { stdio: 'ignore', env: NODE_ENV }));
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.on('error', () => resolve());
  });
  return { pid: child.pid ?? -1, kill: (signal) => void child.kill(signal), ended };
}
