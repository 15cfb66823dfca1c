/** A Service is an abstraction: a set of pods by selector, and an address that no interface has. */
import { derive, together } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { connect, reached } from '../connect.ts';
import { podsBehind } from '../endpoints.ts';
import type { Claim } from '../experiment.ts';
import { ping } from '../ping.ts';
import { spread, whoAnswered } from '../spread.ts';
import { wrongSelector } from './sabotages.ts';

/** The chance that one of 3 pods stays unseen in 60 draws is 3 * (2/3)^60 < 1e-10. */
const DRAWS = 60;

const claim: Claim = {
  id: '2.7c',
  on: [['any']],
  needs: [],
  seconds: 6,
  async experiment(stage) {
    const web = { app: 'web', part: 'all' };
    const { a, w2, x } = await stage.pods({
      a: { node: 0 },
      w0: { node: 0, labels: web },
      w1: { node: 1, labels: web },
      w2: { node: 1, labels: web },
      x: { node: 1, labels: { app: 'other', part: 'all' } },
    });
    const service = await stage.service('web', { selector: { app: 'web' } });
    const asked = (what: string) =>
      stage.until(
        text(`the Service answers by ${what}`, `Service 由 ${what} 应答`),
        async () => derive(await spread(stage, a, service.clusterIP, DRAWS), whoAnswered),
        (who) => who === what,
      );

    await stage.decisive(
      {
        id: 'the set',
        question: text(
          `who answers at the ClusterIP, ${DRAWS} requests`,
          `${DRAWS} 次请求 ClusterIP，谁应答`,
        ),
      },
      is('w0 w1 w2'),
      asked('w0 w1 w2'),
    );
    await stage.decisive(
      { id: 'endpoints', question: text('ready pods in the EndpointSlices', 'EndpointSlice 中就绪的 Pod') },
      is('w0 w1 w2'),
      podsBehind(stage, service),
    );
    await stage.control(
      { id: 'unselected', question: text('A -> the pod that is not selected :80', 'A -> 未被选中的 Pod:80') },
      reached,
      connect(stage, a, x.ip, 80),
    );
    if (stage.cluster.proxy !== 'other')
      await stage.decisive(
        { id: 'ping', question: text('does the ClusterIP answer a ping', 'ClusterIP 是否应答 ping') },
        is('no reply'),
        ping(stage, a, service.clusterIP),
      );
    await stage.control(
      { id: 'ping a pod', question: text('does a pod answer a ping', 'Pod 是否应答 ping') },
      is('reply'),
      ping(stage, a, w2.ip),
    );
    if (stage.cluster.capabilities.has('NodeCommands'))
      await stage.decisive(
        {
          id: 'no interface',
          question: text(
            'nodes that have the ClusterIP on an interface',
            '在接口上拥有该 ClusterIP 的节点数',
          ),
        },
        is(0),
        derive(
          together(
            await Promise.all(
              stage.nodes.map((node) => stage.onNode(node.name, ['ip', '-o', 'addr', 'show'])),
            ),
          ),
          (answers) => answers.filter(({ stdout }) => stdout.includes(` ${service.clusterIP}/`)).length,
        ),
      );

    await stage.kube.patch(
      { apiVersion: 'v1', kind: 'Pod', name: w2.name, namespace: w2.namespace },
      { metadata: { labels: { app: 'retired' } } },
    );
    await stage.decisive(
      { id: 'relabelled', question: text('who answers when w2 has lost its label', 'w2 失去标签之后谁应答') },
      is('w0 w1'),
      asked('w0 w1'),
    );
  },
  sabotages: [wrongSelector('web', { part: 'all' }, 'too-wide')],
};
export default claim;
