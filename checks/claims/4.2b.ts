/** The policy allows nothing that was not allowed before: it takes access from everyone but app=frontend. */
import { together } from '../../src/model/observation.ts';
import { text } from '../../src/model/text.ts';
import { blocked, reached, settle, type Expected } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { allowNginx } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

const claim: Claim = {
  id: '4.2b',
  on: [['enforcing']],
  needs: [],
  seconds: 12,
  async experiment(stage) {
    const elsewhere = await stage.anotherNamespace('other');
    const { a, b, c, x, f2 } = await stage.pods({
      a: { node: 0 },
      b: { node: 1, labels: { app: 'nginx' } },
      c: { node: 1, labels: { app: 'nginx' } },
      x: { node: 0 },
      f2: { node: 0, labels: { app: 'frontend' }, namespace: elsewhere },
    });
    type Pair = 'a' | 'b' | 'x' | 'f2' | 'back';
    const look = (what: ReturnType<typeof text>, ...open: Pair[]) => {
      const to = (name: Pair, from: typeof a, pod = c): Expected => ({
        from,
        to: pod.ip,
        port: 80,
        open: open.includes(name),
      });
      return settle(
        stage,
        what,
        { a: to('a', a), b: to('b', b), x: to('x', x), f2: to('f2', f2), back: to('back', c, a) },
        { within: 20_000 },
      );
    };
    const label = (app: string | null) =>
      stage.kube.patch(
        { apiVersion: 'v1', kind: 'Pod', name: a.name, namespace: a.namespace },
        { metadata: { labels: { app } } },
      );
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });

    const before = await look(text('all answer', '全部应答'), 'a', 'b', 'x', 'f2', 'back');
    await stage.decisive(
      row('A -> C before', 'A -> C:80 before the policy', '策略之前：A -> C:80'),
      blocked,
      before.a,
    );
    await stage.control(
      row('all before', 'X -> C:80 before the policy', '策略之前：X -> C:80'),
      reached,
      before.x,
    );

    await stage.apply(allowNginx());
    const after = await look(text('nginx is isolated', 'nginx 被隔离'), 'back');
    await stage.decisive(
      row('A -> C after', 'A -> C:80 under the policy, A without a label', '策略之下：A（无标签）-> C:80'),
      reached,
      after.a,
    );
    await stage.decisive(
      row(
        'X -> C after',
        'X -> C:80 under a policy that allows A and C',
        '“允许 A 与 C 通信”的策略之下：X -> C:80',
      ),
      reached,
      after.x,
    );
    await stage.decisive(
      row('B -> C after', 'B -> C:80 (nginx to nginx) under the policy', '策略之下：B -> C:80（nginx 之间）'),
      reached,
      after.b,
    );
    await stage.control(
      row('F2 -> C after', 'frontend of another namespace -> C:80', '另一命名空间的 frontend -> C:80'),
      blocked,
      after.f2,
    );
    await stage.control(
      row('C -> A after', 'C -> A:80, which the policy does not govern', 'C -> A:80，不受该策略管辖'),
      reached,
      after.back,
    );

    await label('frontend');
    const labelled = await look(text('A is admitted', 'A 被放行'), 'a', 'back');
    await stage.control(
      row('A labelled', 'A -> C:80, A labelled app=frontend', 'A 打上 app=frontend：A -> C:80'),
      reached,
      labelled.a,
    );
    await label(null);
    const bare = await look(text('A is shut out again', 'A 再次被挡住'), 'back');
    await stage.control(
      row('label removed', "A -> C:80, A's label removed", '去掉 A 的标签：A -> C:80'),
      blocked,
      bare.a,
    );

    const line = (looks: typeof before) => {
      const all = together(Object.values(looks));
      return all.asked ? all.value.map((one) => (one === 'CONNECTED' ? '.' : 'X')).join('') : '?';
    };
    const table = `A->C B->C X->C F2->C C->A: ${line(before)} -> ${line(after)}`;
    stage.note(text(`before -> after, ${table}`, `之前 -> 之后，${table}`));
  },
  sabotages: [forgottenAllowAll('ingress')],
};
export default claim;
