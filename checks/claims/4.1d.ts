/** How fine is fine-grained? Pods, addresses and ports; not containers, not HTTP methods, not the pod's own node, not old connections. */
import { derive } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { blocked, reached, settle } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { heldOpen, hold, type Held } from '../held.ts';
import { httpAll } from '../http.ts';
import { PROBE_IMAGE } from '../images.ts';
import { inContainer, outside, outsidePort } from '../outside.ts';
import { pods, policy } from '../policies.ts';
import { probeContainer } from '../workloads.ts';
import { forgottenAllowAll } from './sabotages.ts';

const claim: Claim = {
  id: '4.1d',
  on: [['enforcing']],
  needs: ['ClusterScope'],
  seconds: 18,
  async experiment(stage) {
    const home = stage.workers[1 % stage.workers.length]!;
    const pause = { name: 'second', image: PROBE_IMAGE, imagePullPolicy: 'IfNotPresent', args: ['pause'] };
    const { duo, frontend, other, nginx, node } = await stage.pods({
      duo: { node: 0, containers: [probeContainer(), pause] },
      frontend: { node: 0, labels: { app: 'frontend', part: 'client' } },
      other: { node: 0, labels: { app: 'other', part: 'client' } },
      nginx: { node: home.name, labels: { app: 'nginx' }, ports: [81] },
      node: outside(home.name, outsidePort(stage.namespace)),
    });
    const second = inContainer(duo, 'second');
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });
    const look = (what: ReturnType<typeof text>, isolated: boolean) =>
      settle(
        stage,
        what,
        {
          frontend: { from: frontend, to: nginx.ip, port: 80, open: true },
          frontend81: { from: frontend, to: nginx.ip, port: 81, open: !isolated },
          other: { from: other, to: nginx.ip, port: 80, open: !isolated },
          node: { from: node, to: nginx.ip, port: 80, open: true },
          inPod: { from: second, to: '127.0.0.1', port: 80, open: true },
          duo: { from: frontend, to: duo.ip, port: 80, open: !isolated },
        },
        { within: 20_000 },
      );

    const before = await look(text('all answer', '全部应答'), false);
    await stage.control(
      row('before', 'other -> nginx:80, no policy', '无策略：other -> nginx:80'),
      reached,
      before.other,
    );
    await stage.control(
      row('duo before', 'frontend -> duo:80, no policy', '无策略：frontend -> duo:80'),
      reached,
      before.duo,
    );

    // Two connections of `other` are held open from before the policy on.
    const held = hold(stage, other, nginx, { denials: 3, seconds: 30 });
    const onNode = stage.cluster.capabilities.has('NodeCommands');
    const forgotten = onNode ? hold(stage, other, nginx, { denials: 1000, seconds: 40 }) : undefined;
    forgotten?.catch(() => undefined); // Read below; an experiment that breaks off before must not leave it unheard.
    held.catch(() => undefined);
    await stage.until(
      text('the connections are held', '连接已保持'),
      () => heldOpen(stage, other, nginx),
      (count) => count >= (forgotten ? 2 : 1),
      { within: 10_000 },
    );

    await stage.apply(policy('deny', { ingress: [], egress: [] }));
    await stage.apply(policy('clients-out', { selects: { part: 'client' }, egress: [{}] }));
    await stage.apply(
      policy('frontend-in', {
        selects: { app: 'nginx' },
        ingress: [{ from: [pods({ app: 'frontend' })], ports: [{ port: 80, protocol: 'TCP' }] }],
      }),
    );
    const after = await look(
      text('all are isolated, frontend may reach nginx:80', '全部隔离，frontend 可访问 nginx:80'),
      true,
    );
    const byPod = text('between pods, by label and port', '在 Pod 之间，按标签和端口');
    await stage.decisive(
      {
        ...row(
          'by label',
          'other -> nginx:80, only frontend:80 allowed',
          '只放行 frontend 的 80 端口：other -> nginx:80',
        ),
        under: byPod,
      },
      blocked,
      after.other,
    );
    await stage.decisive(
      {
        ...row(
          'by port',
          'frontend -> nginx:81, only frontend:80 allowed',
          '只放行 frontend 的 80 端口：frontend -> nginx:81',
        ),
        under: byPod,
      },
      blocked,
      after.frontend81,
    );
    await stage.control(
      row(
        'allowed',
        'frontend -> nginx:80, only frontend:80 allowed',
        '只放行 frontend 的 80 端口：frontend -> nginx:80',
      ),
      reached,
      after.frontend,
    );
    await stage.control(
      row('duo isolated', 'frontend -> duo:80 under deny all', '全部拒绝：frontend -> duo:80'),
      blocked,
      after.duo,
    );
    await stage.decisive(
      {
        ...row(
          'one pod',
          'second container of duo -> 127.0.0.1:80 of the first, under deny all',
          '全部拒绝：duo 的第二个容器 -> 第一个容器的 127.0.0.1:80',
        ),
        under: text('between containers of one pod', '同一 Pod 的容器之间'),
      },
      blocked,
      after.inPod,
    );
    await stage.decisive(
      {
        ...row(
          'own node',
          "nginx's own node -> nginx:80, only frontend allowed",
          '只放行 frontend：nginx 所在节点 -> nginx:80',
        ),
        under: text("from the pod's own node", '来自 Pod 所在的节点'),
      },
      blocked,
      after.node,
    );
    const methods = await httpAll(
      stage,
      ['GET', 'DELETE'].map((method) => ({ from: frontend, url: `http://${nginx.ip}/hostname`, method })),
    );
    const status = (index: number) => derive(methods[index]!, (answer) => answer.status ?? answer.outcome);
    await stage.control(
      row('GET', 'frontend: GET on nginx:80', 'frontend：对 nginx:80 发 GET'),
      is<string | number>(200),
      status(0),
    );
    await stage.decisive(
      {
        ...row(
          'DELETE',
          'frontend: DELETE on nginx:80, by the same policy',
          'frontend：同一策略下对 nginx:80 发 DELETE',
        ),
        under: text('by HTTP method', '按 HTTP 方法'),
      },
      that(text('kept apart from GET', '与 GET 区分对待'), (code: string | number) => code !== 200),
      status(1),
    );
    await stage.decisive(
      {
        ...row(
          'old connection',
          'a connection of other, made before the policy',
          'other 在策略之前建立的连接',
        ),
        under: text('for connections made before the policy', '对策略之前建立的连接'),
      },
      that(text('cut', '被切断'), (what: Held) => what.died),
      held,
    );

    if (!forgotten) return;
    // What conntrack has forgotten is judged as new (Kubernetes leaves old connections to the implementation).
    await stage.control(
      row(
        'conntrack -D',
        "that connection's entries deleted on nginx's node",
        '在 nginx 的节点上删除该连接的 conntrack 条目',
      ),
      is(true),
      derive(
        await stage.onNode(nginx.node, [
          'conntrack',
          '-D',
          '-p',
          'tcp',
          '-s',
          other.ip,
          '-d',
          nginx.ip,
          '--dport',
          '80',
        ]),
        ({ code }) => code === 0,
      ),
    );
    await stage.control(
      row('forgotten', 'the held connection after its entry was deleted', '条目被删除之后的那条连接'),
      that(
        text('answered before, died then', '先前有应答，随后中断'),
        (what: Held) => what.since > 0 && what.died,
      ),
      forgotten,
    );
  },
  sabotages: [forgottenAllowAll('ingress')],
};
export default claim;
