/** Labels are read by a controller, not by packets: nodes know addresses only. */
import { derive, together } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import type { KubeObject } from '../../src/kube/kube.ts';
import { stop } from '../components.ts';
import { blocked, connect, reached } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { answeredBy } from '../http.ts';
import { at, nodesApart, row } from '../places.ts';
import { iptables, kubeProxyTable } from '../rules.ts';
import { spread, whoAnswered } from '../spread.ts';

const slice = (ip: string): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'manual-by-hand', labels: { 'kubernetes.io/service-name': 'manual' } },
  addressType: 'IPv4',
  ports: [{ name: 'tcp-80', port: 80, protocol: 'TCP' }],
  endpoints: [{ addresses: [ip], conditions: { ready: true } }],
});

const claim: Claim = {
  id: '6.2g',
  on: [['any']],
  needs: ['NodeCommands', 'ClusterScope'],
  disturbs: true,
  seconds: 5,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const label = `web-${stage.namespace.slice(-6)}`;
    const { a, plain, w1, w2 } = await stage.pods({
      a: at(here),
      plain: at(there),
      w1: at(there, { labels: { app: label } }),
      w2: at(here, { labels: { app: label } }),
    });
    const manual = await stage.service('manual', {});
    const web = await stage.service('web', { selector: { app: label } });
    await stage.apply(slice(plain.ip));
    await stage.point('slice written');
    await stage.control(
      row(
        'the pod itself',
        'A -> the pod without labels, by its own address',
        'A -> 没有标签的 Pod 自己的地址',
      ),
      reached,
      connect(stage, a, plain.ip, 80),
    );
    await stage.decisive(
      row(
        'no selector',
        'A -> a Service without a selector, whose slice was written by hand',
        'A -> 没有选择器、EndpointSlice 由手工写成的 Service',
      ),
      blocked,
      stage.until(
        text('the Service without a selector answers', '没有选择器的 Service 应答'),
        () => connect(stage, a, manual.clusterIP, 80),
        (outcome) => outcome === 'CONNECTED',
        { within: 15_000 },
      ),
    );
    const who = async () => derive(await spread(stage, a, web.clusterIP, 30), whoAnswered);
    await stage.control(
      row('selected', 'who answers A through the Service with a selector', '有选择器的 Service 由谁应答'),
      is('w1 w2'),
      stage.until(text('both answer', '两者应答'), who, (said) => said === 'w1 w2'),
    );

    const [old, young] = await Promise.all([iptables(stage, here), kubeProxyTable(stage, here)]);
    const lines = derive(together([derive(old, (rules) => rules.map((one) => one.rule)), young]), (both) =>
      both.flat(),
    );
    await stage.control(
      row(
        'addresses on the node',
        "rules on A's node that name w1's address",
        'A 的节点上提到 w1 地址的规则数',
      ),
      that(text('at least one', '至少一条'), (count: number) => count > 0),
      derive(lines, (all) => all.filter((line) => line.includes(w1.ip)).length),
    );
    await stage.decisive(
      row('labels on the node', "rules on A's node that name the label", 'A 的节点上提到该标签的规则数'),
      that(text('at least one', '至少一条'), (count: number) => count > 0),
      derive(lines, (all) => all.filter((line) => line.includes(label)).length),
    );

    const controller = await stop(stage, 'endpointslice-controller');
    const pod = { apiVersion: 'v1', kind: 'Pod', name: w1.name, namespace: stage.namespace };
    await stage.kube.patch(pod, { metadata: { labels: { app: 'former' } } });
    // A later change that does not need the controller has arrived, so an earlier one would have too.
    await stage.apply(slice(w2.ip));
    await stage.until(
      text('a later change has arrived on the node', '更晚的变更已到达节点'),
      () => answeredBy(stage, a, manual.clusterIP),
      (name) => name === w2.name,
      { within: 8_000 },
    );
    const stale = await who();
    await controller.revert();
    await stage.decisive(
      row(
        'relabelled, controller stopped',
        "who answers when w1's label was changed while the controller stood still",
        '控制器停止期间改了 w1 的标签，谁应答',
      ),
      is('w2'),
      stale,
    );
    await stage.control(
      row('controller running', 'who answers with the controller running again', '控制器恢复运行之后谁应答'),
      is('w2'),
      stage.until(text('w2 alone answers', '只有 w2 应答'), who, (said) => said === 'w2', { within: 90_000 }),
    );
  },
  sabotages: [
    {
      id: 'slice-lost',
      title: text('the hand-written EndpointSlice is deleted', '手写的 EndpointSlice 被删除'),
      at: 'slice written',
      async apply(stage) {
        await stage.remove(slice('0.0.0.0'));
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;
