/**
 * flannel speaks no BGP: flanneld learns of other nodes from the API server and writes routes, neighbours and FDB entries.
 *
 * A node that joins is shown by one that lost all that flannel knows of it: its tunnel (device, routes, FDB) and the
 * annotations of its Node. Its flanneld starts afresh and announces a new tunnel end, as that of a new node does.
 */
import { derive, together, type Observation } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { BGP, dropBgp, knock } from '../bgp.ts';
import { capture } from '../capture.ts';
import { restart, stop } from '../components.ts';
import { blocked, connect, reached } from '../connect.ts';
import type { Claim, Stage } from '../experiment.ts';
import { deviceTowards, fdb, links, sockets } from '../link.ts';
import { dropOnNode, mustOnNode } from '../node-state.ts';
import { at, nodesApart, row } from '../places.ts';
import { routes, routesTo } from '../route.ts';

const DEVICE = 'flannel.1';

/** Who made the routes of all nodes to the pods of the other nodes. */
async function madeBy(
  stage: Stage,
  pods: readonly { ip: string; node: string }[],
): Promise<Observation<string>> {
  const seen = await Promise.all(stage.nodes.map((node) => routes(stage, node.name)));
  return derive(together(seen), (tables) => {
    const others = tables.flatMap((table, index) =>
      pods
        .filter((pod) => pod.node !== stage.nodes[index]!.name)
        .map((pod) => routesTo(table, pod.ip)[0]?.protocol ?? 'none'),
    );
    return [...new Set(others)].sort().join(' ');
  });
}

const claim: Claim = {
  id: '2.6d',
  on: [['flannel']],
  needs: ['NodeCommands', 'ClusterScope'],
  disturbs: true,
  seconds: 15,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const { a, c } = await stage.pods({ a: at(here), c: at(there) });
    const ask = () => connect(stage, a, c.ip, 80);
    const answers = (within: number) =>
      stage.until(text('C answers', 'C 应答'), ask, (outcome) => outcome === 'CONNECTED', { within });

    await stage.control(
      row('A->C', 'A -> C:80 on another node', 'A -> 另一节点上的 C:80'),
      reached,
      answers(20_000),
    );
    await stage.decisive(
      row('listener', `nodes with a TCP socket on port ${BGP}`, `有 TCP ${BGP} 端口套接字的节点数`),
      that(text('all of them', '全部'), (count: number) => count > 0),
      derive(
        together(await Promise.all(stage.nodes.map((node) => sockets(stage, node.name)))),
        (all) =>
          all.filter((list) => list.some((one) => one.localPort === BGP || one.peerPort === BGP)).length,
      ),
    );
    await stage.decisive(
      row('routes', "who made the nodes' routes to each other's pods", '节点之间去往对方 Pod 的路由由谁写入'),
      that(text('a BGP daemon (bird, bgp)', 'BGP 守护进程（bird、bgp）'), (made: string) =>
        /bird|bgp|zebra/.test(made),
      ),
      madeBy(stage, [a, c]),
    );

    // From here on no BGP message can pass between any two nodes, and a capture on C's node would see one that is tried.
    await Promise.all(stage.nodes.map((node) => dropBgp(stage, node.name)));
    await stage.control(
      row('179 dropped', `node of A -> node of C, TCP ${BGP}`, `A 的节点 -> C 的节点，TCP ${BGP}`),
      is('TIMEOUT'),
      knock(stage, here, addressOf(stage, there)),
    );
    const wire = await capture(stage, {
      node: there,
      device: await deviceTowards(stage, there, addressOf(stage, here)),
      filter: `tcp port ${BGP} or udp port 8472`,
    });
    const deaf = await stop(stage, 'flanneld', [here]);
    await forget(stage, there);
    await stage.control(
      row(
        'before it joins',
        "A -> C:80 when C's node has lost its tunnel and routes",
        'C 的节点失去隧道和路由时 A -> C:80',
      ),
      blocked,
      ask(),
    );
    await restart(stage, 'flanneld', [there]);
    await stage.until(
      text("C's node has its tunnel and its route to A again", 'C 的节点重新有了隧道和去往 A 的路由'),
      () => routes(stage, there),
      (all) => routesTo(all, a.ip)[0]?.dev === DEVICE,
      { within: 60_000 },
    );
    await stage.control(
      row(
        'joined, A deaf',
        "A -> C:80 when C's node has joined and flanneld on A's node is stopped",
        'C 的节点已加入、A 节点上的 flanneld 停止时 A -> C:80',
      ),
      blocked,
      ask(),
    );
    await deaf.revert();
    await stage.until(
      text("flanneld on A's node has heard of C's node", 'A 节点上的 flanneld 得知 C 的节点'),
      ask,
      (outcome) => outcome === 'CONNECTED',
    );
    await stage.point('joined');
    await stage.decisive(
      row(
        'joined',
        `A -> C:80 when C's node has joined with TCP ${BGP} dropped everywhere`,
        `所有节点丢弃 TCP ${BGP} 时 C 的节点加入之后 A -> C:80`,
      ),
      blocked,
      ask(),
    );
    const seen = await wire.stop();
    const on = (port: number) =>
      derive(seen, ({ packets }) => packets.filter((one) => one.sport === port || one.dport === port).length);
    await stage.control(
      row(
        'VXLAN on the wire',
        "VXLAN packets (UDP 8472) on C's node meanwhile",
        '其间 C 的节点上的 VXLAN 包（UDP 8472）',
      ),
      that(text('at least one', '至少一个'), (count: number) => count > 0),
      on(8472),
    );
    await stage.decisive(
      row(
        'BGP on the wire',
        `packets of TCP ${BGP} on C's node meanwhile`,
        `其间 C 的节点上 TCP ${BGP} 的包`,
      ),
      that(text('at least one', '至少一个'), (count: number) => count > 0),
      on(BGP),
    );
    await stage.control(
      row(
        'tunnel ends',
        "FDB entries of A's node that lead to C's node",
        'A 的节点上指向 C 的节点的 FDB 条目数',
      ),
      that(text('at least one', '至少一条'), (count: number) => count > 0),
      derive(
        await fdb(stage, here, DEVICE),
        (all) => all.filter((one) => one.dst === addressOf(stage, there)).length,
      ),
    );
  },
  sabotages: [
    {
      id: 'vxlan-dropped',
      title: text(
        "a firewall drops UDP 8472 on C's node from the moment it has joined",
        'C 的节点加入之后，防火墙开始丢弃其 UDP 8472',
      ),
      at: 'joined',
      needs: ['NodeCommands'],
      async apply(stage) {
        const [, there] = nodesApart(stage, 2) as [string, string];
        await dropOnNode(stage, there, 'vxlan', { incoming: ['udp dport 8472'] });
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;

/** What flanneld writes on its Node (flannel, pkg/subnet/kube: annotations). It keeps its MAC address as long as it finds it there. */
const PREFIX = 'flannel.alpha.coreos.com/';

const annotationsOf = async (stage: Stage, node: string): Promise<string[]> => {
  const object = await stage.kube.get({ apiVersion: 'v1', kind: 'Node', name: node });
  return Object.keys(object?.metadata['annotations'] ?? {}).filter((key) => key.startsWith(PREFIX));
};

/** Takes from a node all that flannel made for it and knows of it. */
async function forget(stage: Stage, node: string): Promise<void> {
  const keys = await annotationsOf(stage, node);
  const mac = async () => {
    const seen = await links(stage, node);
    return seen.asked ? seen.value.find((link) => link.name === DEVICE)?.mac : undefined;
  };
  const old = await mac();
  stage.undo(async () => {
    // Whatever is missing when the experiment has ended in between is made again by flanneld.
    if ((await mac()) === undefined || (await annotationsOf(stage, node)).length === 0)
      await restart(stage, 'flanneld', [node]);
    // flanneld leaves entries of former tunnel ends behind.
    if (old === undefined || (await mac()) === old) return;
    const remove = `bridge fdb del ${old} dev ${DEVICE} dst ${addressOf(stage, node)} 2>/dev/null || true`;
    const others = stage.nodes.filter((one) => one.name !== node);
    await Promise.all(others.map((one) => mustOnNode(stage, one.name, ['sh', '-c', remove])));
  });
  // It would mend its device and its annotations at once.
  await stop(stage, 'flanneld', [node]);
  await mustOnNode(stage, node, ['ip', 'link', 'del', DEVICE]);
  const gone = Object.fromEntries(keys.map((key) => [key, null]));
  await stage.kube.patch({ apiVersion: 'v1', kind: 'Node', name: node }, { metadata: { annotations: gone } });
}

const addressOf = (stage: Stage, name: string) => stage.nodes.find((node) => node.name === name)!.address;
