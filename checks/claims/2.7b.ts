/** Pods talk by their own addresses; a Service is an optional name and address on top. */
import { derive, type Observation } from '../../src/model/observation.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { api } from '../api.ts';
import { blocked, connect, isBlocked, reached, settle } from '../connect.ts';
import type { Claim } from '../experiment.ts';

/** kube-proxy leaves a Service with this label to another proxy and takes its rules away (Kubernetes: Virtual IPs). */
const OTHER_PROXY = { 'service.kubernetes.io/service-proxy-name': 'nobody' };

const claim: Claim = {
  id: '2.7b',
  on: [['any']],
  needs: [],
  seconds: 6,
  async experiment(stage) {
    const { a, c } = await stage.pods({ a: { node: 0 }, c: { node: 1, labels: { app: 'c' } } });

    await stage.control(
      { id: 'no Service', question: text('Services in the namespace', '命名空间中的 Service 数') },
      is(0),
      derive(
        await api(stage, 'GET', `/api/v1/namespaces/${stage.namespace}/services`),
        ({ json }) => json.items.length as number,
      ),
    );
    const direct = () => connect(stage, a, c.ip, 80);
    await stage.decisive(
      {
        id: 'direct, no Service',
        question: text("A -> C's address :80, no Service exists", 'A -> C 的地址:80，没有任何 Service'),
      },
      blocked,
      stage.until(text('C answers', 'C 应答'), direct, (outcome) => outcome === 'CONNECTED', {
        within: 10_000,
      }),
    );

    const web = await stage.service('web', { selector: { app: 'c' } });
    const through = () => connect(stage, a, web.clusterIP, 80);
    await stage.control(
      {
        id: 'Service works',
        question: text('A -> ClusterIP of Service web :80', 'A -> Service web 的 ClusterIP:80'),
      },
      reached,
      stage.until(text('the Service answers', 'Service 应答'), through, (outcome) => outcome === 'CONNECTED'),
    );

    await stage.kube.patch(web.object, { metadata: { labels: OTHER_PROXY } });
    await stage.until(text("the Service's rules are gone", 'Service 的规则被移除'), through, isBlocked);
    // Both at the same moment, in one exec.
    const now: { service: Observation<Outcome>; direct: Observation<Outcome> } = await settle(
      stage,
      text('the Service is dead', 'Service 不通'),
      {
        service: { from: a, to: web.clusterIP, port: 80, open: false },
        direct: { from: a, to: c.ip, port: 80, open: true },
      },
      { within: 0 },
    );
    await stage.control(
      {
        id: 'Service without rules',
        question: text(
          'A -> ClusterIP when kube-proxy keeps no rules for it',
          'kube-proxy 不再为它保留规则时，A -> ClusterIP',
        ),
      },
      blocked,
      now.service,
    );
    await stage.decisive(
      {
        id: 'direct, Service dead',
        question: text("A -> C's address :80 at the same moment", '同一时刻 A -> C 的地址:80'),
      },
      blocked,
      now.direct,
    );
  },
  sabotages: [
    {
      id: 'direct-dropped',
      title: text(
        "A's node drops what A sends to C's own address (before any Service is translated)",
        'A 所在节点丢弃 A 直接发往 C 地址的包（在 Service 转换之前）',
      ),
      at: 'start',
      needs: ['NodeCommands'],
      async apply(stage) {
        const of = (name: string) =>
          stage.kube.get({ apiVersion: 'v1', kind: 'Pod', name, namespace: stage.namespace });
        const [a, c] = [await of('a'), await of('c')];
        const rule = ['PREROUTING', '-s', a!.status.podIP, '-d', c!.status.podIP, '-j', 'DROP'];
        const node: string = a!.spec.nodeName;
        // mangle stands before nat (netfilter hook priorities -150 and -100).
        await stage.onNode(node, ['iptables', '-w', '-t', 'mangle', '-I', ...rule]);
        stage.undo(() => stage.onNode(node, ['iptables', '-w', '-t', 'mangle', '-D', ...rule]));
      },
      becomes: ['CONFIRMED'],
    },
  ],
};
export default claim;
