/** A request to a Service is rewritten on the client's own node and goes straight to the pod that was chosen. */
import { derive } from '../../src/model/observation.ts';
import { that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { blocked, connect } from '../connect.ts';
import { flowsTo } from '../conntrack.ts';
import type { Claim } from '../experiment.ts';
import { counts, listenFor, seenOf, send, tally } from '../flows.ts';
import { deviceTowards } from '../link.ts';
import { changeNode, dropOnNode } from '../node-state.ts';
import { at, nodesApart, row } from '../places.ts';
import { allowNginx } from '../policies.ts';
import { spread, whoAnswered } from '../spread.ts';

const REQUESTS = 40;

const claim: Claim = {
  id: '4.3b',
  on: [['any']],
  needs: ['NodeCommands'],
  disturbs: true,
  seconds: 7,
  async experiment(stage) {
    const [nodeA, nodeB, nodeC] = nodesApart(stage, 3) as [string, string, string];
    const nginx = { labels: { app: 'nginx' } };
    const { a, b, c } = await stage.pods({
      a: at(nodeA, { labels: { app: 'frontend' } }),
      b: at(nodeB, nginx),
      c: at(nodeC, nginx),
    });
    const service = await stage.service('nginx-service', { selector: { app: 'nginx' } });
    await stage.apply(allowNginx());
    const who = async () => derive(await spread(stage, a, service.clusterIP, 30), whoAnswered);
    await stage.until(text('B and C answer', 'B 和 C 应答'), who, (said) => said === 'b c');

    const listeners = await Promise.all([nodeB, nodeC].map((node) => listenFor(stage, a, node)));
    const sent = await send(stage, a, service.clusterIP, REQUESTS);
    const [onB, onC] = await Promise.all(listeners.map((one) => one.stop()));
    await stage.control(
      row(
        "B's on B's node",
        "of A's requests that B answered, how many passed B's node",
        'B 应答的请求中，经过 B 所在节点的有多少',
      ),
      that(
        text('all', '全部'),
        (said: string) => counts(said).all > 0 && counts(said).seen === counts(said).all,
      ),
      seenOf(sent, onB!, a.ip, b.name),
    );
    await stage.control(
      row(
        "C's on C's node",
        "of A's requests that C answered, how many passed C's node",
        'C 应答的请求中，经过 C 所在节点的有多少',
      ),
      that(
        text('all', '全部'),
        (said: string) => counts(said).all > 0 && counts(said).seen === counts(said).all,
      ),
      seenOf(sent, onC!, a.ip, c.name),
    );
    await stage.decisive(
      row(
        "C's on B's node",
        "of A's requests that C answered, how many passed B's node",
        'C 应答的请求中，经过 B 所在节点的有多少',
      ),
      that(text('all of them', '全部'), (said: string) => counts(said).seen > 0),
      seenOf(sent, onB!, a.ip, c.name),
    );

    const tracked = async (node: string) =>
      derive(
        await flowsTo(stage, node, service.clusterIP),
        (flows) => flows.filter((one) => one.original.src === a.ip).length,
      );
    await stage.control(
      row(
        "translated on A's node",
        "conntrack entries from A to the ClusterIP on A's node",
        'A 所在节点上 A 到 ClusterIP 的 conntrack 条目数',
      ),
      that(text(`at least ${REQUESTS}`, `至少 ${REQUESTS}`), (count: number) => count >= REQUESTS),
      tracked(nodeA),
    );
    await stage.decisive(
      row("translated on B's node", "the same on B's node", 'B 所在节点上的同样条目数'),
      that(text('at least one', '至少一个'), (count: number) => count > 0),
      tracked(nodeB),
    );

    const device = await deviceTowards(
      stage,
      nodeB,
      stage.nodes.find((node) => node.name === nodeA)!.address,
    );
    const cable = await dropOnNode(stage, nodeB, 'cable', {
      incoming: [`iifname "${device}"`],
      outgoing: [`oifname "${device}"`],
    });
    const [without, direct] = await Promise.all([
      send(stage, a, service.clusterIP, 16),
      connect(stage, a, b.ip, 80),
    ]);
    await cable.revert();
    await stage.control(
      row(
        'B, its node cut off',
        "A -> B's own address, B's node cut off",
        'B 的节点断网时 A -> B 自己的地址',
      ),
      blocked,
      direct,
    );
    await stage.decisive(
      row(
        "Service, B's node cut off",
        "who answers A's requests to nginx-service, B's node cut off",
        'B 的节点断网时谁应答 A 对 nginx-service 的请求',
      ),
      that(text('nobody', '无人应答'), (said: string) => !said.includes(c.name)),
      tally(without),
    );

    const pod = { apiVersion: 'v1', kind: 'Pod', namespace: stage.namespace, name: b.name };
    await stage.kube.patch(pod, { metadata: { labels: { app: 'former' } } });
    await stage.decisive(
      row(
        'Service without B',
        'who answers when B is no longer behind nginx-service',
        'B 不再属于 nginx-service 时谁应答',
      ),
      that(text('nobody', '无人应答'), (said: string) => !said.includes(c.name)),
      stage.until(text('C alone answers', '只有 C 应答'), who, (said) => said === 'c'),
    );
  },
  sabotages: [
    {
      id: 'copied-to-b',
      title: text(
        "A's node sends a copy of what goes to C to B's node too, as a badly set mirror would",
        'A 的节点把发往 C 的包也复制一份到 B 的节点（错误的镜像配置）',
      ),
      at: 'start',
      needs: ['NodeCommands'],
      async apply(stage) {
        const of = async (name: string) =>
          (await stage.kube.get({ apiVersion: 'v1', kind: 'Pod', name, namespace: stage.namespace }))![
            'status'
          ];
        const [nodeA, nodeB] = nodesApart(stage, 3) as [string, string];
        const [a, b, c] = [(await of('a')).podIP, (await of('b')).podIP, (await of('c')).podIP];
        // B's node takes the copies and sends them no further.
        await dropOnNode(stage, nodeB, 'copies', { incoming: [`ip saddr ${a} ip daddr ${c}`] });
        // The copy is to take the way to B: through the same gateway and device.
        const chain = 'add chain ip podlab-mirror out { type filter hook postrouting priority 500 ; }';
        await changeNode(stage, nodeA, {
          apply: [
            `set -- $(ip -4 -o route get ${b})`,
            'gateway=; device=',
            'while [ $# -gt 1 ]; do case $1 in via) gateway=$2 ;; dev) device=$2 ;; esac; shift; done',
            'nft add table ip podlab-mirror',
            `nft '${chain}'`,
            `nft add rule ip podlab-mirror out ip daddr ${c} dup to "$gateway" device "\\"$device\\""`,
          ].join('\n'),
          revert: 'nft delete table ip podlab-mirror 2>/dev/null || true',
        });
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;
