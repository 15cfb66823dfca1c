/**
 * What every cluster has to show, whichever backend made it: the suite that kind passes and that others are held to.
 *
 * Each backend calls {@link contract} from a test file of its own suite. A difference that is known is listed there by
 * the name of its test and with its reason; the test then has to fail, so that the list cannot rot.
 */
import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capability, Cluster, NodeInfo } from '../../src/cluster/port.ts';
import { Kube, type KubeObject } from '../../src/kube/kube.ts';
import { handleOf, podManifest, whenReady } from '../../src/run/pods.ts';

export interface ContractOptions {
  /** Names of tests that this backend fails, and why. */
  readonly deviations?: Readonly<Record<string, string>>;
  /** What the cluster is meant to be able to do. */
  readonly capabilities: readonly Capability[];
}

const NAMESPACE = 'podlab-contract';
const SETTLE_MS = 60_000;

/** Asks until the answer is as wanted; the last answer is in the failure. */
async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  const end = Date.now() + SETTLE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > end) throw new Error(`not as wanted within ${SETTLE_MS} ms: ${JSON.stringify(answer)}`);
    await delay(100);
  }
}

/** Registers the suite. `find` gives the cluster, which is up; destroying it is for the caller to test. */
export function contract(label: string, find: () => Promise<Cluster>, options: ContractOptions): void {
  const { deviations = {}, capabilities } = options;
  const can = (capability: Capability) => capabilities.includes(capability);
  const names = new Set<string>();
  const test = (name: string, body: () => Promise<void>) => {
    names.add(name);
    const reason = deviations[name];
    if (reason === undefined) it(name, body);
    else it.fails(`${name} [deviation: ${reason}]`, body);
  };

  describe(`contract: ${label}`, () => {
    let cluster: Cluster;
    let kube: Kube;
    let nodes: readonly NodeInfo[];
    let pods: { name: string; ip: string; node: string }[];
    let service: KubeObject;

    /** HTTP from a pod by curl: the body, or curl's exit code (28: no answer in time, 7: refused). */
    const curl = async (from: string, url: string): Promise<string> => {
      const answer = await kube.exec({ namespace: NAMESPACE, name: from }, ['curl', '-s', '-m', '2', url]);
      if (!answer.reached) throw new Error(`exec in ${from}: ${answer.reason}`);
      return answer.code === 0 ? answer.stdout : `curl ${answer.code}`;
    };
    const shell = (node: string, command: string) => cluster.onNode(node, ['sh', '-c', command]);

    beforeAll(async () => {
      cluster = await find();
      kube = await Kube.open(cluster.kubeconfig, cluster.context);
      nodes = await cluster.nodes();
      const workers = nodes.filter(({ role }) => role === 'worker');
      // Two hosts at least, so that packets cross the pod network; a control plane is one when it is tolerated.
      const spread = workers.length < 2 && nodes.length > 1;
      const hosts = spread ? nodes : workers.length > 0 ? workers : nodes;
      const spec = spread ? { tolerations: [{ operator: 'Exists' }] } : undefined;
      await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
      const wanted = ['server-0', 'server-1', 'client'];
      for (const [index, name] of wanted.entries())
        await kube.apply(
          podManifest(name, { node: index, labels: { app: name.slice(0, 6) }, spec }, NAMESPACE, hosts),
        );
      service = await kube.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'server', namespace: NAMESPACE },
        spec: {
          type: 'NodePort',
          selector: { app: 'server' },
          ports: [{ port: 8080, targetPort: 80, protocol: 'TCP' }],
        },
      });
      const ready = await whenReady(kube, NAMESPACE, wanted, new AbortController().signal);
      pods = wanted.map((name) => handleOf(ready.get(name)!));
      await cluster.settled();
    });

    afterAll(async () => {
      if (!kube) return;
      await kube.delete({ apiVersion: 'v1', kind: 'Namespace', name: NAMESPACE });
      kube.close();
    });

    test('says what it can do', async () => {
      expect([...cluster.capabilities].sort()).toEqual([...capabilities].sort());
    });

    test('the kubeconfig is for nobody else, and works from here', async () => {
      expect(statSync(cluster.kubeconfig).mode & 0o777).toBe(0o600);
      const version = await kube.request('GET', '/version');
      expect(version.status).toBe(200);
    });

    test('nodes: the control plane first, each with its address', async () => {
      expect(nodes[0]?.role).toBe('control-plane');
      for (const { address } of nodes) expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      expect(new Set(nodes.map(({ address }) => address)).size).toBe(nodes.length);
    });

    if (can('NodeCommands')) {
      test('a node command that ran tells its code, output and errors', async () => {
        const ran = await shell(nodes[0]!.name, 'echo out; echo err >&2; exit 3');
        expect(ran).toMatchObject({
          code: 3,
          stdout: 'out\n',
          stderr: 'err\n',
          ok: false,
          broken: undefined,
        });
        const echoed = await cluster.onNode(nodes[0]!.name, ['cat'], { input: 'through\n' });
        expect(echoed).toMatchObject({ code: 0, stdout: 'through\n', ok: true });
      });

      test('a node command that could not be run is told apart', async () => {
        const node = nodes[0]!.name;
        const noProgram = await cluster.onNode(node, ['no-such-program']);
        const noNode = await cluster.onNode('no-such-node', ['true']);
        const tooLong = await cluster.onNode(node, ['sleep', '20'], { timeout: 300 });
        for (const ran of [noProgram, noNode, tooLong]) {
          expect(ran.broken).toBeTruthy();
          expect(ran.code).toBeUndefined();
          expect(ran.ok).toBe(false);
        }
      });

      test('node commands: many at once, each on its node', async () => {
        const asked = nodes.flatMap((node) => Array.from({ length: 10 }, () => node));
        const told = await Promise.all(
          asked.map(({ name }) => shell(name, 'ip -4 -o addr show scope global')),
        );
        told.forEach((ran, index) => expect(ran.stdout).toContain(`${asked[index]!.address}/`));
      });

      test('NodePort answers on every node', async () => {
        const port = service['spec'].ports[0].nodePort as number;
        for (const { address } of nodes)
          expect(await curl('client', `http://${address}:${port}/hostname`)).toMatch(/^server-[01]$/);
      });

      test('pod networks are routed on the nodes', async () => {
        const [first, second] = [pods[0]!, pods[1]!];
        const ran = await shell(first.node, `ip route get ${second.ip}`);
        expect(ran.stdout).toContain(second.ip);
        expect(ran.stdout).not.toContain('unreachable');
      });
    }

    test('a pod reaches a pod on another node, which sees the address it came from', async () => {
      const [server, , client] = pods;
      const other = pods.find(({ node }) => node !== client!.node) ?? server!;
      const told = await curl('client', `http://${other.ip}/clientip`);
      expect(told.split(':')[0]).toBe(client!.ip);
    });

    test('a Service spreads over its endpoints and refuses where nothing listens', async () => {
      const url = `http://${service['spec'].clusterIP}:8080/hostname`;
      const names = new Set<string>();
      await until(
        async () => names.add(await curl('client', url)),
        (seen) => seen.size === 2,
      );
      expect([...names].sort()).toEqual(['server-0', 'server-1']);
    });

    test('DNS gives the ClusterIP of a Service, and says no for a name that is not there', async () => {
      const dig = async (name: string) => {
        const answer = await kube.exec({ namespace: NAMESPACE, name: 'client' }, ['dig', '+time=2', name]);
        if (!answer.reached) throw new Error(answer.reason);
        return answer.stdout;
      };
      const zone = `${NAMESPACE}.svc.cluster.local`;
      expect(await dig(`server.${zone}`)).toContain(service['spec'].clusterIP);
      expect(await dig(`nobody.${zone}`)).toContain('status: NXDOMAIN');
    });

    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'nobody-in', namespace: NAMESPACE },
      spec: { podSelector: { matchLabels: { app: 'server' } }, policyTypes: ['Ingress'] },
    };
    const enforced = can('NetworkPolicy');
    test(`a NetworkPolicy is ${enforced ? 'enforced, and lifted with it' : 'accepted and ignored'}`, async () => {
      const ask = () => curl('client', `http://${pods[0]!.ip}/hostname`);
      await until(ask, (answer) => answer === 'server-0');
      await kube.apply(policy);
      try {
        if (enforced) await until(ask, (answer) => answer === 'curl 28');
        else for (let times = 0; times < 20; times += 1) expect(await ask()).toBe('server-0');
      } finally {
        await kube.delete(policy);
      }
      await until(ask, (answer) => answer === 'server-0');
    });

    if (can('Bgp'))
      test('pod routes come by BGP', async () => {
        const [one, two] = nodes;
        await until(
          async () => (await shell(one!.name, 'ip route show proto bird')).stdout,
          (routes) => routes.includes(`via ${two!.address}`) || routes.includes('blackhole'),
        );
      });

    test('settled comes to an end and tells how long it took', async () => {
      expect(await cluster.settled()).toBeGreaterThanOrEqual(0);
    });

    it('lists no deviation that is not a test', () => {
      expect(Object.keys(deviations).filter((name) => !names.has(name))).toEqual([]);
    });
  });
}
