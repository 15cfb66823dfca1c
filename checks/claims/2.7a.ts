/** lo never leaves a network stack: pods on different nodes talk through eth0, and lo is for the containers of one pod. */
import { derive, together } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { capture } from '../capture.ts';
import { blocked, connect, reached } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { answeredBy } from '../http.ts';
import { PROBE_IMAGE } from '../images.ts';
import { getFromNetns, netnsOf } from '../netns.ts';
import { changeNode, dropOnNode } from '../node-state.ts';
import { inContainer } from '../outside.ts';
import { at, nodesApart, row, valueOf } from '../places.ts';
import { spread, whoAnswered } from '../spread.ts';
import { probeContainer } from '../workloads.ts';

const REQUESTS = 20;

const claim: Claim = {
  id: '2.7a',
  on: [['any']],
  needs: ['NodeCommands'],
  disturbs: true,
  seconds: 6,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const idle = { name: 'second', image: PROBE_IMAGE, imagePullPolicy: 'IfNotPresent', args: ['pause'] };
    const { a, c, duo } = await stage.pods({
      a: at(here),
      c: at(there),
      duo: at(here, { containers: [probeContainer(), idle] }),
    });
    const second = inContainer(duo, 'second');
    await stage.control(
      row('A->C', 'A -> C:80 on another node, nothing changed', '未做任何改动：A -> 另一节点上的 C:80'),
      reached,
      stage.until(
        text('C answers', 'C 应答'),
        () => connect(stage, a, c.ip, 80),
        (outcome) => outcome === 'CONNECTED',
      ),
    );
    await stage.control(
      row(
        'one pod',
        'second container of duo -> 127.0.0.1:80 of the first',
        'duo 的第二个容器 -> 第一个容器的 127.0.0.1:80',
      ),
      reached,
      stage.until(
        text('the first container answers', '第一个容器应答'),
        () => connect(stage, second, '127.0.0.1', 80),
        (outcome) => outcome === 'CONNECTED',
      ),
    );
    await stage.control(
      row('A->127.0.0.1', 'who answers A on its own 127.0.0.1:80', 'A 访问自己的 127.0.0.1:80 时谁应答'),
      is(a.name),
      answeredBy(stage, a, '127.0.0.1'),
    );

    const [ofA, ofC, ofDuo] = await Promise.all([netnsOf(stage, a), netnsOf(stage, c), netnsOf(stage, duo)]);
    const filter = `host ${a.ip} and host ${c.ip} and tcp port 80`;
    const listen = (node: string, device: string, netns?: typeof ofA) =>
      capture(stage, { node, device, filter, ...(netns ? { netns } : {}) });
    const [eth0, ...los] = await Promise.all([
      listen(here, 'eth0', ofA),
      listen(here, 'lo', ofA),
      listen(there, 'lo', ofC),
      listen(here, 'lo'),
      listen(there, 'lo'),
    ]);
    const talked = await spread(stage, a, c.ip, REQUESTS);
    await stage.control(
      row(
        'requests',
        `who answers ${REQUESTS} requests of A to C, captured`,
        `抓包期间 A 到 C 的 ${REQUESTS} 个请求由谁应答`,
      ),
      is(c.name),
      derive(talked, whoAnswered),
    );
    const [onEth0, ...onLo] = await Promise.all([eth0, ...los].map((one) => one.stop()));
    await stage.control(
      row('captured on eth0', "packets of it on A's eth0", '在 A 的 eth0 上抓到的包数'),
      that(text('at least one a request', '每个请求至少一个'), (count: number) => count >= REQUESTS),
      derive(onEth0!, ({ packets }) => packets.length),
    );
    await stage.decisive(
      row(
        'captured on lo',
        'packets of it on lo, in both pods and on both nodes',
        '在两个 Pod 和两个节点的 lo 上抓到的包数',
      ),
      that(text('at least one', '至少一个'), (count: number) => count > 0),
      derive(together(onLo), (all) => all.reduce((sum, { packets }) => sum + packets.length, 0)),
    );

    const lo = async (node: string, pods: readonly string[]) => {
      const set = (way: string) =>
        [...pods.map((path) => `nsenter --net=${path} ip link set lo ${way}`), `ip link set lo ${way}`].join(
          '\n',
        );
      return changeNode(stage, node, {
        apply: set('down'),
        revert: set('up').replaceAll('\n', '; '),
        within: 60,
      });
    };
    const down = [await lo(here, [valueOf(ofA), valueOf(ofDuo)]), await lo(there, [valueOf(ofC)])];
    await stage.point('lo down');
    const port = 80;
    const [far, near] = await Promise.all([
      getFromNetns(stage, a, ofA, { ip: c.ip, port }),
      getFromNetns(stage, duo, ofDuo, { ip: '127.0.0.1', port }),
    ]);
    await Promise.all(down.map((one) => one.revert()));
    await stage.decisive(
      row(
        'lo down',
        'A -> C:80, lo down in both pods and on both nodes',
        '两个 Pod 和两个节点的 lo 都关闭时 A -> C:80',
      ),
      blocked,
      derive(far, ({ outcome }) => outcome),
    );
    await stage.control(
      row('one pod, lo down', 'duo -> 127.0.0.1:80, its lo down', 'duo 的 lo 关闭时 duo -> 127.0.0.1:80'),
      blocked,
      derive(near, ({ outcome }) => outcome),
    );

    // The pod is at its end: its routes go with eth0, and it is not mended.
    await changeNode(stage, here, {
      apply: `nsenter --net=${valueOf(ofA)} ip link set eth0 down`,
      revert: `nsenter --net=${valueOf(ofA)} ip link set eth0 up 2>/dev/null || true`,
    });
    await stage.control(
      row('eth0 down', 'A -> C:80, eth0 down in A', 'A 的 eth0 关闭时 A -> C:80'),
      blocked,
      derive(await getFromNetns(stage, a, ofA, { ip: c.ip, port }), ({ outcome }) => outcome),
    );
    await stage.control(
      row(
        'A->127.0.0.1, eth0 down',
        'A -> its own 127.0.0.1:80, eth0 down',
        'A 的 eth0 关闭时 A -> 自己的 127.0.0.1:80',
      ),
      reached,
      derive(await getFromNetns(stage, a, ofA, { ip: '127.0.0.1', port }), ({ outcome }) => outcome),
    );
  },
  sabotages: [
    {
      id: 'cut-with-lo',
      title: text(
        "C's node drops what A sends, at the moment when lo goes down",
        '在关闭 lo 的同时，C 的节点丢弃 A 发来的包',
      ),
      at: 'lo down',
      needs: ['NodeCommands'],
      async apply(stage) {
        const pod = await stage.kube.get({
          apiVersion: 'v1',
          kind: 'Pod',
          name: 'a',
          namespace: stage.namespace,
        });
        const [, there] = nodesApart(stage, 2) as [string, string];
        await dropOnNode(stage, there, 'cut', { incoming: [`ip saddr ${pod?.['status'].podIP}`] });
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;
