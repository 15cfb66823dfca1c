/** calico in its BGP mode depends on BGP; in VXLAN mode there is none, and nothing is missed. */
import { derive, together, type Observation } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { BGP, dropBgp, knock } from '../bgp.ts';
import { blocked, connect, reached } from '../connect.ts';
import type { Claim, PodHandle, Stage } from '../experiment.ts';
import { sockets } from '../link.ts';
import { changeNode, dropOnNode } from '../node-state.ts';
import { at, nodesApart, row } from '../places.ts';
import { routes, routesTo } from '../route.ts';

/** Longer than calico's default hold time of 240 s (its BIRD configuration; RFC 4271 section 10 suggests 90 s). */
const HOLD = 270_000;

const addressOf = (stage: Stage, name: string) => stage.nodes.find((node) => node.name === name)!.address;

/** How many established BGP sessions a node has. */
const sessions = async (stage: Stage, node: string): Promise<Observation<number>> =>
  derive(
    await sockets(stage, node),
    (all) =>
      all.filter((one) => one.state === 'ESTAB' && (one.localPort === BGP || one.peerPort === BGP)).length,
  );

/** Who made the route that leads from a node to a pod elsewhere; `none` when there is none. */
const madeBy = async (stage: Stage, node: string, pod: PodHandle): Promise<Observation<string>> =>
  derive(await routes(stage, node), (all) => routesTo(all, pod.ip)[0]?.protocol ?? 'none');

const claim: Claim = {
  id: '2.6e',
  on: [['calico-bgp'], ['calico-vxlan']],
  needs: ['NodeCommands'],
  disturbs: true,
  seconds: 22,
  async experiment(stage) {
    const bgp = stage.cluster.cni === 'calico-bgp';
    const under = bgp
      ? text("in calico's BGP mode", 'calico 的 BGP 模式')
      : text("in calico's VXLAN mode", 'calico 的 VXLAN 模式');
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const { a, c } = await stage.pods({ a: at(here), c: at(there) });
    const ask = () => connect(stage, a, c.ip, 80);
    const answers = () =>
      stage.until(text('C answers', 'C 应答'), ask, (outcome) => outcome === 'CONNECTED', { within: 60_000 });
    const made = () => madeBy(stage, here, c);

    if (bgp)
      await stage.until(
        text('every BGP session of both nodes is Established', '两个节点的 BGP 会话全部 Established'),
        async () =>
          derive(together([await sessions(stage, here), await sessions(stage, there)]), (counts) =>
            Math.min(...counts),
          ),
        (count) => count >= stage.nodes.length - 1,
        { within: 60_000 },
      );
    await stage.control(
      row('A->C', 'A -> C:80 on another node', 'A -> 另一节点上的 C:80'),
      reached,
      answers(),
    );
    await stage.decisive(
      row('routes', "who made the route of A's node to C", 'A 的节点去往 C 的路由由谁写入', { under }),
      that(text('a BGP daemon (bird)', 'BGP 守护进程（bird）'), (name: string) => /bird|bgp/.test(name)),
      made(),
    );
    await stage.decisive(
      row('sessions', "established BGP sessions of C's node", 'C 的节点上已建立的 BGP 会话数', { under }),
      that(
        text('one to every other node', '与每个其他节点各一个'),
        (count: number) => count >= stage.nodes.length - 1,
      ),
      sessions(stage, there),
    );

    await stage.point('before the drop');
    const drop = await dropBgp(stage, there);
    await stage.control(
      row('179 dropped', `node of A -> node of C, TCP ${BGP}`, `A 的节点 -> C 的节点，TCP ${BGP}`),
      is('TIMEOUT'),
      knock(stage, here, addressOf(stage, there)),
    );
    if (bgp)
      await stage.until(
        text('the hold time has passed and the routes are withdrawn', '保持时间已过，路由被撤销'),
        async () => derive(together([await made(), await madeBy(stage, there, a)]), (both) => both.join(' ')),
        (both) => !both.includes('bird'),
        { within: HOLD },
      );
    await stage.point('dropped');
    await stage.decisive(
      row(
        `A->C without ${BGP}`,
        `A -> C:80, TCP ${BGP} dropped on C's node${bgp ? ' for longer than the hold time' : ''}`,
        `C 的节点丢弃 TCP ${BGP}${bgp ? '超过保持时间' : ''}之后 A -> C:80`,
        { under },
      ),
      blocked,
      ask(),
    );
    await drop.revert();
    await stage.control(
      row('afterwards', 'A -> C:80, nothing dropped any more', '不再丢弃之后 A -> C:80'),
      reached,
      stage.until(text('C answers again', 'C 再次应答'), ask, (outcome) => outcome === 'CONNECTED', {
        within: 120_000,
      }),
    );
  },
  sabotages: [
    {
      id: 'static-routes',
      title: text(
        'somebody has added static routes between the two nodes, which outlive BGP',
        '有人在两个节点之间加了静态路由，BGP 中断后仍然有效',
      ),
      at: 'before the drop',
      ground: 'calico-bgp',
      needs: ['NodeCommands'],
      async apply(stage) {
        const [here, there] = nodesApart(stage, 2) as [string, string];
        const ip = async (name: string) =>
          String(
            (await stage.kube.get({ apiVersion: 'v1', kind: 'Pod', name, namespace: stage.namespace }))?.[
              'status'
            ].podIP,
          );
        const way = async (node: string, to: string, via: string) => {
          // Less specific than calico's blocks, so BIRD's routes are used while they are there.
          const range = `${to.split('.').slice(0, 3).join('.')}.0/24`;
          await changeNode(stage, node, {
            apply: `ip route add ${range} via ${via} proto static metric 4096`,
            revert: `ip route del ${range} via ${via} proto static metric 4096 2>/dev/null || true`,
          });
        };
        await way(here, await ip('c'), addressOf(stage, there));
        await way(there, await ip('a'), addressOf(stage, here));
      },
      becomes: ['INCONCLUSIVE'],
    },
    {
      id: 'vxlan-dropped-too',
      title: text("the firewall on C's node drops UDP 4789 as well", 'C 节点的防火墙同时丢弃 UDP 4789'),
      at: 'dropped',
      ground: 'calico-vxlan',
      needs: ['NodeCommands'],
      async apply(stage) {
        const [, there] = nodesApart(stage, 2) as [string, string];
        await dropOnNode(stage, there, 'vxlan', { incoming: ['udp dport 4789'] });
      },
    },
  ],
};
export default claim;
