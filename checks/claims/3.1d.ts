/** On every node, yes; but IPVS and iptables are no longer the whole list: nftables is a mode of its own since 1.29. */
import { derive, together, type Observation } from '../../src/model/observation.ts';
import { that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { stop, switchProxyMode } from '../components.ts';
import { blocked, connect, reached } from '../connect.ts';
import type { Claim, PodHandle, ServiceHandle, Stage } from '../experiment.ts';
import { changeNode } from '../node-state.ts';
import { at, nodesApart, row } from '../places.ts';
import { rulesFor, whereRulesStand, withoutEntry } from '../rules.ts';

type Mode = 'iptables' | 'nftables';

/** Where each node holds the rules for an address; one word when it is the same on all. */
async function whereOnAll(stage: Stage, ip: string): Promise<Observation<string>> {
  const seen = await Promise.all(stage.nodes.map((node) => rulesFor(stage, node.name, ip)));
  return derive(together(seen), (all) => {
    const kinds = [...new Set(all.map(whereRulesStand))];
    return kinds.length === 1
      ? kinds[0]!
      : stage.nodes.map((node, i) => `${node.name}: ${whereRulesStand(all[i]!)}`).join(', ');
  });
}

/** The article's list of places for rules. */
const inIptables = that(
  text('iptables (or IPVS), on every node', '每个节点上的 iptables（或 IPVS）'),
  (where: string) => /^iptables/.test(where),
);

/** One mode: does the Service answer, and where do its rules stand? */
async function look(
  stage: Stage,
  mode: Mode,
  era: 'then' | 'now',
  a: PodHandle,
  web: ServiceHandle,
): Promise<void> {
  await switchProxyMode(stage, mode);
  await stage.control(
    row(
      `Service, ${mode}`,
      `A -> web's ClusterIP:80, kube-proxy in mode ${mode}`,
      `kube-proxy 为 ${mode} 模式时 A -> web 的 ClusterIP:80`,
    ),
    reached,
    stage.until(
      text('the Service answers', 'Service 应答'),
      () => connect(stage, a, web.clusterIP, 80),
      (outcome) => outcome === 'CONNECTED',
      { within: 90_000 },
    ),
  );
  // The other mode's rules go when kube-proxy starts, node by node.
  await stage.until(
    text(`the rules stand in ${mode} on every node`, `每个节点的规则都在 ${mode} 中`),
    () => whereOnAll(stage, web.clusterIP),
    (where) => where === mode,
    { within: 60_000 },
  );
  if (mode === 'nftables') await stage.point('nftables');
  await stage.decisive(
    row(
      `rules, ${mode}`,
      `where every node holds web's rules, kube-proxy in mode ${mode}`,
      `kube-proxy 为 ${mode} 模式时各节点上 web 的规则在哪里`,
      { era },
    ),
    inIptables,
    whereOnAll(stage, web.clusterIP),
  );
}

const claim: Claim = {
  id: '3.1d',
  on: [['any']],
  needs: ['NodeCommands', 'ClusterScope'],
  disturbs: true,
  seconds: 10,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const { a, b } = await stage.pods({
      a: at(here),
      b: at(there),
      server: at(there, { labels: { app: 'web' } }),
    });
    const web = await stage.service('web', { selector: { app: 'web' } });
    const modes: Mode[] =
      stage.cluster.proxy === 'nftables' ? ['nftables', 'iptables'] : ['iptables', 'nftables'];
    for (const mode of modes) {
      await look(stage, mode, mode === 'iptables' ? 'then' : 'now', a, web);
      if (mode !== modes[0]) continue;
      // `Every node`: each client's own node translates for it.
      const proxy = await stop(stage, 'kube-proxy', [here]);
      const entry = await withoutEntry(stage, here, web.clusterIP, 80);
      await stage.control(
        row(
          "rules gone on A's node",
          "A -> web's ClusterIP:80, its rule gone on A's node only",
          '仅在 A 的节点上删除规则时 A -> web 的 ClusterIP:80',
        ),
        blocked,
        connect(stage, a, web.clusterIP, 80),
      );
      await stage.control(
        row(
          'B at that moment',
          "B on the other node -> web's ClusterIP:80 at that moment",
          '同一时刻另一节点上的 B -> web 的 ClusterIP:80',
        ),
        reached,
        connect(stage, b, web.clusterIP, 80),
      );
      await entry.revert();
      await proxy.revert();
    }
  },
  sabotages: [
    {
      id: 'iptables-left-over',
      title: text(
        'iptables rules for the Service are left over on every node in nftables mode',
        'nftables 模式下每个节点仍残留该 Service 的 iptables 规则',
      ),
      at: 'nftables',
      needs: ['NodeCommands'],
      async apply(stage) {
        const web = await stage.kube.get({
          apiVersion: 'v1',
          kind: 'Service',
          name: 'web',
          namespace: stage.namespace,
        });
        const rule = `KUBE-SERVICES -t nat -d ${web?.['spec'].clusterIP}/32 -p tcp --dport 80 -j RETURN`;
        await Promise.all(
          stage.nodes.map((node) =>
            changeNode(stage, node.name, {
              apply: `iptables -w -t nat -N KUBE-SERVICES 2>/dev/null || true\niptables -w -A ${rule}`,
              revert: `iptables -w -D ${rule} 2>/dev/null || true`,
            }),
          ),
        );
      },
      becomes: ['CONFIRMED'],
    },
  ],
};
export default claim;
