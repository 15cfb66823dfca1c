/** kube-proxy is one of several that may carry Service traffic: the kit brings a second one, and a label hands Services over. */
import { derive } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { stop } from '../components.ts';
import { blocked, connect, reached } from '../connect.ts';
import { podsBehind } from '../endpoints.ts';
import type { Claim, ServiceHandle } from '../experiment.ts';
import { KIT_PROXY, kitProxy, PROXY_NAME } from '../kit-proxy.ts';
import { mustOnNode } from '../node-state.ts';
import { at, nodesApart, row } from '../places.ts';
import { rulesFor, whereRulesStand } from '../rules.ts';

const claim: Claim = {
  id: '5.1a',
  on: [['any']],
  needs: ['NodeCommands', 'ClusterScope'],
  disturbs: true,
  seconds: 7,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const { a } = await stage.pods({ a: at(here), server: at(there, { labels: { app: 'web' } }) });
    const web = { selector: { app: 'web' } };
    const ask = (service: ServiceHandle) => () => connect(stage, a, service.clusterIP, 80);
    const answers = (service: ServiceHandle) =>
      stage.until(
        text(`${service.name} answers`, `${service.name} 应答`),
        ask(service),
        (outcome) => outcome === 'CONNECTED',
        { within: 60_000 },
      );
    const hasEndpoint = (service: ServiceHandle) =>
      stage.until(
        text(`${service.name} has its endpoint`, `${service.name} 得到端点`),
        () => podsBehind(stage, service),
        (names) => names === 'server',
      );

    const handedOver = await stage.service('handed-over', { ...web, labels: { [PROXY_NAME]: KIT_PROXY } });
    const usual = await stage.service('usual', web);
    await stage.control(
      row('usual', 'A -> an ordinary Service', 'A -> 普通 Service'),
      reached,
      answers(usual),
    );
    // Made before the one that answers by now: kube-proxy has seen it too.
    await stage.control(
      row(
        'handed over, kube-proxy alone',
        `A -> a Service labelled for ${KIT_PROXY}, with kube-proxy alone`,
        `只有 kube-proxy 时 A -> 标记给 ${KIT_PROXY} 的 Service`,
      ),
      blocked,
      ask(handedOver)(),
    );
    await stage.control(
      row(
        "kube-proxy's rules for it",
        "kube-proxy's rules for that Service on A's node",
        'A 的节点上 kube-proxy 为该 Service 生成的规则',
      ),
      is('none'),
      derive(await rulesFor(stage, here, handedOver.clusterIP), whereRulesStand),
    );
    await hasEndpoint(handedOver);
    const second = await kitProxy(stage, 'labelled', 'labelled');
    await stage.point('second proxy');
    await stage.decisive(
      row(
        'handed over, second proxy',
        `the same Service with ${KIT_PROXY} running`,
        `${KIT_PROXY} 运行之后访问同一个 Service`,
      ),
      blocked,
      ask(handedOver)(),
    );
    await second.revert();

    // kube-proxy stops before the next Service is made, and so never makes rules for it.
    const proxy = await stop(stage, 'kube-proxy');
    const late = await stage.service('late', web);
    await hasEndpoint(late);
    await stage.control(
      row(
        'late, no proxy',
        'A -> a Service made when kube-proxy had stopped',
        'A -> kube-proxy 停止之后创建的 Service',
      ),
      blocked,
      ask(late)(),
    );
    const replacement = await kitProxy(stage, 'all', 'all');
    await stage.point('replacement');
    await stage.decisive(
      row(
        'late, replaced',
        `the same with ${KIT_PROXY} serving all Services in its place`,
        `由 ${KIT_PROXY} 代替它服务所有 Service 之后`,
      ),
      blocked,
      ask(late)(),
    );
    await replacement.revert();
    await proxy.revert();
    await stage.control(
      row(
        'late, kube-proxy back',
        'the same with kube-proxy alone, running again',
        '只有恢复运行的 kube-proxy 时',
      ),
      reached,
      answers(late),
    );
  },
  sabotages: (['second proxy', 'replacement'] as const).map((moment, index) => ({
    id: index === 0 ? 'second-proxy-flushed' : 'replacement-flushed',
    title: text(
      "somebody flushes the second proxy's table on A's node",
      '有人清空了 A 的节点上第二个代理的表',
    ),
    at: moment,
    needs: ['NodeCommands'],
    async apply(stage) {
      const [here] = nodesApart(stage, 1) as [string];
      const table = `podlab-${KIT_PROXY}-${index === 0 ? 'labelled' : 'all'}`;
      await mustOnNode(stage, here, ['nft', 'flush', 'chain', 'ip', table, 'services']);
    },
    becomes: ['INCONCLUSIVE'],
  })),
};
export default claim;
