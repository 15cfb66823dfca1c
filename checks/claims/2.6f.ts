/** flannel and calico both carry packets between nodes, and do not rewrite where they come from. */
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { blocked, connect, reached } from '../connect.ts';
import type { Claim, PodHandle, Stage } from '../experiment.ts';
import { sourceSeenBy } from '../http.ts';
import { changeNode, tableOnNode } from '../node-state.ts';
import { ping } from '../ping.ts';
import { at, nodesApart, row } from '../places.ts';

/** Takes a node's way to an address away: a routing rule that stands before all tables (ip-rule(8)). */
const withoutWay = (stage: Stage, node: string, ip: string) =>
  changeNode(stage, node, {
    apply: `ip rule add to ${ip} unreachable pref 100`,
    revert: `ip rule del to ${ip} unreachable pref 100 2>/dev/null || true`,
  });

const handle = async (stage: Stage, name: string): Promise<{ ip: string; node: string }> => {
  const pod = await stage.kube.get({ apiVersion: 'v1', kind: 'Pod', name, namespace: stage.namespace });
  return { ip: String(pod?.['status'].podIP), node: String(pod?.['spec'].nodeName) };
};

const claim: Claim = {
  id: '2.6f',
  on: [
    ['flannel', 'flannel-host-gw'],
    ['calico-bgp', 'calico-vxlan'],
  ],
  needs: ['NodeCommands'],
  disturbs: true,
  seconds: 8,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const { a, c } = await stage.pods({ a: at(here), c: at(there) });
    const tcp = (from: PodHandle, to: PodHandle) => () => connect(stage, from, to.ip, 80);
    const answers = { within: 15_000 };

    await stage.decisive(
      row('A->C TCP', 'A -> C:80 on another node', 'A -> 另一节点上的 C:80'),
      reached,
      stage.until(text('C answers', 'C 应答'), tcp(a, c), (outcome) => outcome === 'CONNECTED', answers),
    );
    await stage.decisive(
      row('C->A TCP', 'C -> A:80, the other way', '反方向：C -> A:80'),
      reached,
      stage.until(text('A answers', 'A 应答'), tcp(c, a), (outcome) => outcome === 'CONNECTED', answers),
    );
    await stage.decisive(
      row('A->C UDP', 'A -> C:80 by UDP, with an answer', 'A -> C:80，UDP，有应答'),
      reached,
      connect(stage, a, c.ip, 80, 'UDP'),
    );
    await stage.decisive(
      row('A->C ICMP', 'does C answer a ping of A', 'C 是否应答 A 的 ping'),
      is('reply'),
      ping(stage, a, c.ip),
    );
    await stage.decisive(
      row('source', 'the source address that C sees (no NAT)', 'C 看到的源地址（无 NAT）'),
      that(text(`A's own, ${a.ip}`, `A 自己的地址 ${a.ip}`), (seen: string) => seen === a.ip),
      sourceSeenBy(stage, a, c.ip),
    );

    const cut = await withoutWay(stage, a.node, c.ip);
    await stage.control(
      row('no way', "the same, A's node without a way to C", '同上，但 A 的节点上没有去 C 的路径'),
      blocked,
      connect(stage, a, c.ip, 80),
    );
    await cut.revert();
    await stage.control(
      row('way back', 'and with its way back', '恢复路径之后'),
      reached,
      stage.until(text('C answers again', 'C 再次应答'), tcp(a, c), (outcome) => outcome === 'CONNECTED'),
    );
  },
  sabotages: [
    {
      id: 'masquerade',
      title: text(
        "A's node rewrites the source of what it sends to C (a masquerade rule that leaves out the pod network)",
        'A 的节点改写发往 C 的源地址（masquerade 规则漏掉了 Pod 网段）',
      ),
      at: 'start',
      needs: ['NodeCommands'],
      async apply(stage) {
        const [a, c] = [await handle(stage, 'a'), await handle(stage, 'c')];
        await tableOnNode(stage, a.node, 'masquerade', 'ip', {
          out: ['type nat hook postrouting priority 90', `ip daddr ${c.ip} masquerade`],
        });
      },
      becomes: ['INCONCLUSIVE'],
    },
    {
      id: 'no-way',
      title: text(
        'the route between the nodes is lost, in both directions',
        '两个节点之间的路由丢失（双向）',
      ),
      at: 'start',
      needs: ['NodeCommands'],
      async apply(stage) {
        const [a, c] = [await handle(stage, 'a'), await handle(stage, 'c')];
        await changeNode(stage, c.node, {
          apply: `ip rule add to ${a.ip} unreachable pref 101`,
          revert: `ip rule del to ${a.ip} unreachable pref 101 2>/dev/null || true`,
        });
      },
    },
  ],
};
export default claim;
