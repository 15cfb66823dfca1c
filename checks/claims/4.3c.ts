/** A pod forwards nothing and a policy sends nothing anywhere: C sees A, and B may be dead. */
import { derive, type Observation } from '../../src/model/observation.ts';
import { that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { blocked, connect, reached, settle } from '../connect.ts';
import type { Claim, PodHandle, ServiceHandle, Stage } from '../experiment.ts';
import { counts, listenFor, seenOf, send, tally } from '../flows.ts';
import { banner, sourceSeenBy } from '../http.ts';
import { netnsOf } from '../netns.ts';
import { changeNode, tableOnNode } from '../node-state.ts';
import { at, nodesApart, row, valueOf } from '../places.ts';
import { allowNginx } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

const REQUESTS = 40;
const RELAY = 8080;

/** The address that C saw, of a request to the Service that C answered. */
async function seenThroughService(
  stage: Stage,
  a: PodHandle,
  service: ServiceHandle,
  c: PodHandle,
): Promise<Observation<string>> {
  return derive(
    await stage.until(
      text('C answers through the Service', 'C 通过 Service 应答'),
      () => banner(stage, a, service.clusterIP),
      (said) => typeof said === 'object' && said.pod === c.name,
    ),
    (said) => (typeof said === 'object' ? `${said.peer.replace(/:\d+$/, '')} (${said.pod})` : said),
  );
}

const claim: Claim = {
  id: '4.3c',
  on: [['enforcing']],
  needs: ['NodeCommands'],
  seconds: 15,
  async experiment(stage) {
    const [nodeA, nodeB, nodeC] = nodesApart(stage, 3) as [string, string, string];
    const nginx = { labels: { app: 'nginx' } };
    const { a, b, c } = await stage.pods({
      a: at(nodeA, { labels: { app: 'frontend' } }),
      b: at(nodeB, nginx),
      c: at(nodeC, nginx),
    });
    const service = await stage.service('nginx-service', { selector: { app: 'nginx' } });
    const ofB = await netnsOf(stage, b);
    const inB = valueOf(ofB);

    // What a relay would look like: B's kernel forwards its port 8080 to C, in its own name.
    const forward = await changeNode(stage, nodeB, {
      apply: `nsenter --net=${inB} sysctl -qw net.ipv4.ip_forward=1`,
      revert: `nsenter --net=${inB} sysctl -qw net.ipv4.ip_forward=0 2>/dev/null || true`,
    });
    const relay = await tableOnNode(
      stage,
      nodeB,
      'relay',
      'ip',
      {
        in: ['type nat hook prerouting priority -100', `tcp dport ${RELAY} dnat to ${c.ip}:80`],
        out: ['type nat hook postrouting priority 100', `ip daddr ${c.ip} masquerade`],
      },
      inB,
    );
    await stage.control(
      row(
        'a real relay',
        'the source that C sees when B relays (A -> B:8080, no policy)',
        '由 B 中继时 C 看到的源地址（A -> B:8080，无策略）',
      ),
      that(text(`B's address, ${b.ip}`, `B 的地址 ${b.ip}`), (seen: string) => seen === b.ip),
      stage.until(
        text('the relay answers', '中继应答'),
        () => sourceSeenBy(stage, a, b.ip, RELAY),
        (seen) => seen === b.ip,
        { within: 15_000 },
      ),
    );

    await stage.apply(allowNginx());
    const look = await settle(
      stage,
      text('the policy is in force', '策略生效'),
      {
        ac: { from: a, to: c.ip, port: 80, open: true },
        bc: { from: b, to: c.ip, port: 80, open: false },
        relay: { from: a, to: b.ip, port: RELAY, open: false },
      },
      { within: 20_000 },
    );
    await stage.control(row('A->C', 'A -> C:80 under the policy', '策略下 A -> C:80'), reached, look.ac);
    await stage.control(
      row(
        'B->C',
        'B -> C:80 under the policy (B is no app=frontend)',
        '策略下 B -> C:80（B 不是 app=frontend）',
      ),
      blocked,
      look.bc,
    );
    await stage.control(
      row('relay under policy', 'A -> the relay in B, under the policy', '策略下 A -> B 中的中继'),
      blocked,
      look.relay,
    );
    await relay.revert();
    await forward.revert();
    await stage.point('asked');

    await stage.decisive(
      row('source', 'the source that C sees of A -> nginx-service', 'A -> nginx-service 时 C 看到的源地址'),
      that(text(`B's address, ${b.ip}`, `B 的地址 ${b.ip}`), (seen: string) => seen.startsWith(`${b.ip} `)),
      seenThroughService(stage, a, service, c),
    );

    const listener = await listenFor(stage, a, nodeB, ofB);
    const sent = await send(stage, a, service.clusterIP, REQUESTS);
    const captured = await listener.stop();
    await stage.control(
      row(
        "B's in B",
        "of A's requests that B answered, how many were seen inside B",
        'B 应答的请求中，在 B 内部看到的有多少',
      ),
      that(
        text('all', '全部'),
        (said: string) => counts(said).all > 0 && counts(said).seen === counts(said).all,
      ),
      seenOf(sent, captured, a.ip, b.name),
    );
    await stage.decisive(
      row(
        "C's in B",
        "of A's requests that C answered, how many were seen inside B",
        'C 应答的请求中，在 B 内部看到的有多少',
      ),
      that(text('all of them', '全部'), (said: string) => counts(said).seen > 0),
      seenOf(sent, captured, a.ip, c.name),
    );

    // The pod is at its end: its routes go with eth0, and it is not mended.
    await changeNode(stage, nodeB, {
      apply: `nsenter --net=${inB} ip link set eth0 down`,
      revert: `nsenter --net=${inB} ip link set eth0 up 2>/dev/null || true`,
    });
    const [without, direct] = await Promise.all([
      send(stage, a, service.clusterIP, 16),
      connect(stage, a, b.ip, 80),
    ]);
    await stage.control(
      row('B, its eth0 down', "A -> B's own address, B's eth0 down", 'B 的 eth0 关闭时 A -> B 自己的地址'),
      blocked,
      direct,
    );
    await stage.decisive(
      row(
        'Service, B dead',
        "who answers A's requests to nginx-service, B's eth0 down",
        'B 的 eth0 关闭时谁应答 A 对 nginx-service 的请求',
      ),
      that(text('nobody', '无人应答'), (said: string) => !said.includes(c.name)),
      tally(without),
    );
  },
  sabotages: [
    forgottenAllowAll('ingress'),
    {
      id: 'in-the-name-of-b',
      title: text(
        "C's node rewrites the source of A's packets to B's address",
        'C 的节点把 A 的包的源地址改写成 B 的地址',
      ),
      at: 'asked',
      needs: ['NodeCommands'],
      async apply(stage) {
        const of = async (name: string) =>
          String(
            (await stage.kube.get({ apiVersion: 'v1', kind: 'Pod', name, namespace: stage.namespace }))?.[
              'status'
            ].podIP,
          );
        const [a, b, c] = await Promise.all([of('a'), of('b'), of('c')]);
        const nodeC = nodesApart(stage, 3)[2]!;
        await tableOnNode(stage, nodeC, 'in-the-name', 'ip', {
          out: ['type nat hook postrouting priority 90', `ip saddr ${a} ip daddr ${c} snat to ${b}`],
        });
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;
