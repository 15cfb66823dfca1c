/** kube-proxy's rules rewrite packets; the routing tables do not change when a Service is made. */
import { derive, together, type Observation } from '../../src/model/observation.ts';
import { is, isNot, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { stop } from '../components.ts';
import { blocked, connect, reached } from '../connect.ts';
import type { Claim, Stage } from '../experiment.ts';
import { changeNode } from '../node-state.ts';
import { at, nodesApart, row } from '../places.ts';
import { difference, routes, routingRules, type Route } from '../route.ts';
import { rulesFor, whereRulesStand, withoutEntry } from '../rules.ts';

/** Routes in all tables and policy routing rules of a node. */
interface Routing {
  readonly routes: readonly Route[];
  readonly rules: readonly string[];
}

async function routing(stage: Stage, node: string): Promise<Observation<Routing>> {
  const [table, rules] = await Promise.all([routes(stage, node), routingRules(stage, node)]);
  if (!table.asked) return table;
  return derive(together([rules]), ([list]) => ({ routes: table.value, rules: list! }));
}

/** What changed between two looks at a node's routing. */
const changed = (before: Observation<Routing>, after: Observation<Routing>): Observation<string[]> =>
  derive(together([before, after]), ([old, now]) => [
    ...difference(old!.routes, now!.routes),
    ...now!.rules.filter((rule) => !old!.rules.includes(rule)).map((rule) => `+ rule ${rule}`),
    ...old!.rules.filter((rule) => !now!.rules.includes(rule)).map((rule) => `- rule ${rule}`),
  ]);

/** An address of TEST-NET-2 (RFC 5737), which nobody uses. */
const NOBODY = '198.51.100.7';

const claim: Claim = {
  id: '3.1c',
  on: [['any']],
  needs: ['NodeCommands'],
  disturbs: true,
  seconds: 4,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const { a, server } = await stage.pods({
      a: at(here),
      server: at(there, { labels: { app: 'web' } }),
    });
    await stage.until(
      text('the pod answers', 'Pod 应答'),
      () => connect(stage, a, server.ip, 80),
      (outcome) => outcome === 'CONNECTED',
    );

    const before = await routing(stage, here);
    const web = await stage.service('web', { selector: { app: 'web' } });
    const ask = () => connect(stage, a, web.clusterIP, 80);
    const answers = () =>
      stage.until(text('the Service answers', 'Service 应答'), ask, (outcome) => outcome === 'CONNECTED');
    await stage.control(
      row('Service', "A -> web's ClusterIP:80", 'A -> web 的 ClusterIP:80'),
      reached,
      answers(),
    );
    await stage.decisive(
      row(
        'rewriting rules',
        "kube-proxy's packet-rewriting rules for web on A's node",
        'A 的节点上 kube-proxy 为 web 生成的改写规则',
        {
          under: text('as rules that rewrite packets', '作为改写数据包的规则'),
        },
      ),
      isNot('none'),
      derive(await rulesFor(stage, here, web.clusterIP), whereRulesStand),
    );
    await stage.decisive(
      row(
        'routes',
        "what changed in all routing tables and rules of A's node",
        'A 的节点上所有路由表和路由规则的变化',
        {
          under: text('as routes', '作为路由'),
        },
      ),
      that(text('at least one route or rule', '至少一条路由或规则'), (lines: string[]) => lines.length > 0),
      changed(before, await routing(stage, here)),
    );

    const tried = await changeNode(stage, here, {
      apply: `ip route add unreachable ${NOBODY}/32`,
      revert: `ip route del unreachable ${NOBODY}/32 2>/dev/null || true`,
    });
    const seen = changed(before, await routing(stage, here));
    await tried.revert();
    await stage.control(
      row(
        'a route is seen',
        'the same question after a route was added by hand',
        '手工添加一条路由之后的同一问题',
      ),
      that(text(`the route to ${NOBODY}`, `去往 ${NOBODY} 的路由`), (lines: string[]) =>
        lines.some((line) => line.includes(NOBODY)),
      ),
      seen,
    );

    // kube-proxy must not put back what is taken away.
    const proxy = await stop(stage, 'kube-proxy', [here]);
    const entry = await withoutEntry(stage, here, web.clusterIP, 80);
    await stage.control(
      row(
        'rules gone',
        "A -> web's ClusterIP:80, its rule gone and all routes as they were",
        'web 的规则被删除、路由不变时 A -> ClusterIP:80',
      ),
      blocked,
      ask(),
    );
    await entry.revert();
    await proxy.revert();
    await stage.control(
      row('rules back', 'and with its rule back', '恢复规则之后'),
      is('CONNECTED'),
      answers(),
    );
  },
  sabotages: [
    {
      id: 'route-appears',
      title: text(
        "another agent adds a route to the ClusterIP on A's node, as some pod networks do",
        '另一个代理在 A 的节点上添加了到 ClusterIP 的路由（某些网络插件会这样做）',
      ),
      at: 'service',
      needs: ['NodeCommands'],
      async apply(stage, service) {
        const [here] = nodesApart(stage, 1) as [string];
        const ip = String(service?.['spec'].clusterIP);
        await changeNode(stage, here, {
          apply: `ip route add unreachable ${ip}/32 metric 4096`,
          revert: `ip route del unreachable ${ip}/32 metric 4096 2>/dev/null || true`,
        });
      },
      becomes: ['CONFIRMED'],
    },
  ],
};
export default claim;
