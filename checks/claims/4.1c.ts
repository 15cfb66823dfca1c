/** ipBlock rules traffic with addresses outside the pod network, as far as the client's address is still there to be seen. */
import { notAsked } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { blocked, reached, settle, type Expected } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { sourceSeenBy } from '../http.ts';
import { blockOf, outside, outsidePort } from '../outside.ts';
import { policy } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

const claim: Claim = {
  id: '4.1c',
  on: [['enforcing']],
  needs: ['ClusterScope'],
  seconds: 12,
  async experiment(stage) {
    const home = stage.workers[0]!;
    const others = stage.nodes.filter((one) => one.name !== home.name);
    const [second, third] = [
      others.find((one) => one.role === 'worker') ?? others[0],
      others.find((one) => one.role !== 'worker') ?? others[1],
    ];
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });
    if (!second || !third || second === third)
      return stage.control(
        row('three nodes', 'two nodes beside the one of the pods', '除 Pod 所在节点之外还有两个节点'),
        is(true),
        notAsked(text('the cluster has fewer than three nodes', '集群的节点少于三个')),
      );

    const port = outsidePort(stage.namespace);
    const { a, out2, out3 } = await stage.pods({
      a: { node: home.name, labels: { app: 'client' } },
      nginx: { node: home.name, labels: { app: 'nginx' } },
      out2: outside(second.name, port),
      out3: outside(third.name, port),
    });

    // Egress.
    const to = (open2: boolean, open3: boolean): Record<'two' | 'three', Expected> => ({
      two: { from: a, to: out2.ip, port, open: open2 },
      three: { from: a, to: out3.ip, port, open: open3 },
    });
    const free = await settle(
      stage,
      text('both outside addresses answer', '两个外部地址都应答'),
      to(true, true),
    );
    await stage.control(
      row('.2 before', `A -> external ${out2.ip}, no policy`, `无策略：A -> 外部 ${out2.ip}`),
      reached,
      free.two,
    );
    await stage.control(
      row('.3 before', `A -> external ${out3.ip}, no policy`, `无策略：A -> 外部 ${out3.ip}`),
      reached,
      free.three,
    );
    const cidr = blockOf([out2.ip, out3.ip]);
    await stage.apply(
      policy('out', {
        selects: { app: 'client' },
        egress: [{ to: [{ ipBlock: { cidr, except: [`${out3.ip}/32`] } }] }],
      }),
    );
    const some = await settle(stage, text('the block counts', 'ipBlock 生效'), to(true, false), {
      within: 20_000,
    });
    await stage.decisive(
      row(
        'in the block',
        `A -> ${out2.ip}, allowed: ${cidr} except ${out3.ip}`,
        `放行 ${cidr} 除 ${out3.ip}：A -> ${out2.ip}`,
      ),
      reached,
      some.two,
    );
    await stage.decisive(
      row(
        'except',
        `A -> ${out3.ip}, allowed: ${cidr} except ${out3.ip}`,
        `放行 ${cidr} 除 ${out3.ip}：A -> ${out3.ip}`,
      ),
      blocked,
      some.three,
    );

    // Ingress, through NodePorts: `Local` keeps the client's address, `Cluster` hides it (Kubernetes: Source IP).
    const selector = { app: 'nginx' };
    const spec = (externalTrafficPolicy: string) => ({ type: 'NodePort', externalTrafficPolicy });
    const local = await stage.service('local', { selector, spec: spec('Local') });
    const wide = await stage.service('cluster', { selector, spec: spec('Cluster') });
    const [localPort, widePort]: number[] = [local, wide].map((one) => one.object.spec.ports[0].nodePort);
    const into = (open: {
      two: boolean;
      three: boolean;
      around: boolean;
    }): Record<'two' | 'three' | 'around', Expected> => ({
      two: { from: out2, to: home.address, port: localPort!, open: open.two },
      three: { from: out3, to: home.address, port: localPort!, open: open.three },
      around: { from: out2, to: third.address, port: widePort!, open: open.around },
    });
    const way = (from: string, node: string) => `${from} -> ${node}`;
    const all = await settle(
      stage,
      text('the NodePorts answer', 'NodePort 应答'),
      into({ two: true, three: true, around: true }),
    );
    await stage.control(
      row(
        'NodePort before',
        `${way(out2.ip, 'NodePort')} (Local), no policy`,
        `无策略：${way(out2.ip, 'NodePort')}（Local）`,
      ),
      reached,
      all.two,
    );
    await stage.control(
      row(
        'around before',
        `${way(out2.ip, "another node's NodePort")} (Cluster), no policy`,
        `无策略：${way(out2.ip, '另一节点的 NodePort')}（Cluster）`,
      ),
      reached,
      all.around,
    );
    await stage.control(
      row(
        'source kept',
        `the address that nginx sees of ${out2.ip} (Local)`,
        `nginx 看到的来源地址（Local，来自 ${out2.ip}）`,
      ),
      is(out2.ip),
      sourceSeenBy(stage, out2, home.address, localPort),
    );
    await stage.apply(
      policy('in', { selects: selector, ingress: [{ from: [{ ipBlock: { cidr: `${out2.ip}/32` } }] }] }),
    );
    const one = await settle(
      stage,
      text('only the allowed address enters', '只有放行的地址能进入'),
      into({ two: true, three: false, around: false }),
      { within: 20_000 },
    );
    await stage.decisive(
      row(
        'client allowed',
        `${way(out2.ip, 'NodePort')} (Local), only it is allowed`,
        `只放行它：${way(out2.ip, 'NodePort')}（Local）`,
      ),
      reached,
      one.two,
    );
    await stage.decisive(
      row(
        'client not allowed',
        `${way(out3.ip, 'NodePort')} (Local), only ${out2.ip} is allowed`,
        `只放行 ${out2.ip}：${way(out3.ip, 'NodePort')}（Local）`,
      ),
      blocked,
      one.three,
    );
    await stage.control(
      row(
        'source hidden',
        `${way(out2.ip, "another node's NodePort")} (Cluster): the policy sees that node`,
        `${way(out2.ip, '另一节点的 NodePort')}（Cluster）：策略看到的是那个节点`,
      ),
      blocked,
      one.around,
    );
  },
  sabotages: [forgottenAllowAll('egress')],
};
export default claim;
