/** Requests reach the ready pods of a Service, all of them and no other. */
import { derive, type Observation } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import type { KubeObject } from '../../src/kube/kube.ts';
import { blocked, connect, reached } from '../connect.ts';
import { endpoints } from '../endpoints.ts';
import type { Claim, PodWish } from '../experiment.ts';
import { row } from '../places.ts';
import { spread, whoAnswered, type Spread } from '../spread.ts';
import { probeContainer } from '../workloads.ts';

const REQUESTS = 300;
const FLAG = '/tmp/ready';

/** A server that is ready as long as a file is there. */
const server = (node: number): PodWish => ({
  node,
  labels: { app: 'web' },
  containers: [
    {
      ...probeContainer(),
      command: ['sh', '-c', `touch ${FLAG} && exec /agnhost "$@"`, 'sh'],
      readinessProbe: {
        exec: { command: ['test', '-f', FLAG] },
        periodSeconds: 1,
        timeoutSeconds: 10,
        failureThreshold: 1,
      },
    },
  ],
});

/** Pearson's statistic of an even spread over `pods`. With 2 degrees of freedom it exceeds 23 once in 100 000 fair runs. */
export function chiSquare(answered: Readonly<Record<string, number>>, pods: readonly string[]): number {
  const counts = pods.map((name) => answered[name] ?? 0);
  const expected = counts.reduce((sum, count) => sum + count, 0) / pods.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

const evenly = (pods: readonly string[]) =>
  that(
    text(`spread evenly over ${pods.join(', ')}, none failed`, `均匀分布于 ${pods.join('、')}，无失败`),
    ({ answered, failed, sent }: Spread) =>
      sent === REQUESTS &&
      Object.keys(failed).length === 0 &&
      Object.keys(answered).join() === pods.join() &&
      chiSquare(answered, pods) < 23,
  );

const claim: Claim = {
  id: '3.1e',
  on: [['any']],
  needs: [],
  seconds: 15,
  async experiment(stage) {
    const { a, ...pods } = await stage.pods({
      a: { node: 0 },
      p1: server(0),
      p2: server(1),
      p3: server(1),
    });
    const web = await stage.service('web', { selector: { app: 'web' } });
    const typo = await stage.service('typo', { selector: { app: 'wbe' } });
    const who = async (): Promise<Observation<string>> =>
      derive(await spread(stage, a, web.clusterIP, 36), whoAnswered);
    const settled = (names: string, within: number) =>
      stage.until(text(`${names} answer`, `${names} 应答`), who, (said) => said === names, { within });

    await settled('p1 p2 p3', 20_000);
    await stage.decisive(
      row('spread', `${REQUESTS} requests of A to the ClusterIP`, `A 向 ClusterIP 发送 ${REQUESTS} 个请求`),
      evenly(['p1', 'p2', 'p3']),
      spread(stage, a, web.clusterIP, REQUESTS),
    );

    await stage.exec(pods.p2, ['rm', FLAG]);
    await stage.control(
      row('slice', 'is p2 ready, in the EndpointSlice', 'EndpointSlice 中 p2 是否就绪'),
      is(false),
      stage.until(
        text('p2 is unready', 'p2 未就绪'),
        async () =>
          derive(await endpoints(stage, web), (all) => all.find((one) => one.pod === 'p2')?.ready ?? 'gone'),
        (ready) => ready === false,
      ),
    );
    await stage.decisive(
      row('unready', 'who answers when p2 is not ready', 'p2 未就绪时谁应答'),
      is('p1 p3'),
      settled('p1 p3', 12_000),
    );
    await stage.control(
      row('p2 itself', 'A -> p2 by its own address at that moment', '同一时刻 A -> p2 自己的地址'),
      reached,
      connect(stage, a, pods.p2.ip, 80),
    );
    await stage.kube.patch(web.object, { spec: { publishNotReadyAddresses: true } });
    await stage.control(
      row(
        'published all the same',
        'who answers with publishNotReadyAddresses',
        '设置 publishNotReadyAddresses 之后谁应答',
      ),
      is('p1 p2 p3'),
      settled('p1 p2 p3', 20_000),
    );
    await stage.control(
      row(
        'selector typo',
        'A -> a Service whose selector matches no pod',
        'A -> 选择器不匹配任何 Pod 的 Service',
      ),
      blocked,
      connect(stage, a, typo.clusterIP, 80),
    );
  },
  sabotages: [
    {
      id: 'dead-endpoint',
      title: text(
        'a forgotten hand-written EndpointSlice adds an address where nobody is',
        '一个被遗忘的手写 EndpointSlice 加入了无人使用的地址',
      ),
      at: 'service',
      async apply(stage, service) {
        if (service?.metadata.name !== 'web') return;
        const dead: KubeObject = {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: 'web-forgotten', labels: { 'kubernetes.io/service-name': 'web' } },
          addressType: 'IPv4',
          ports: [{ name: 'tcp-80', port: 80, protocol: 'TCP' }],
          // TEST-NET-3 (RFC 5737).
          endpoints: [{ addresses: ['203.0.113.9'], conditions: { ready: true } }],
        };
        await stage.apply(dead);
      },
    },
    {
      id: 'published-from-the-start',
      title: text(
        'somebody set publishNotReadyAddresses on the Service',
        '有人在 Service 上设置了 publishNotReadyAddresses',
      ),
      at: 'service',
      async apply(stage, service) {
        if (service?.metadata.name === 'web')
          await stage.kube.patch(service, { spec: { publishNotReadyAddresses: true } });
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;
