/** The policy read rightly: app=nginx is the target, app=frontend of the same namespace may come in, by TCP 80. */
import { text } from '../../src/model/text.ts';
import { alike, blocked, reached, settle, type Expected } from '../connect.ts';
import { that } from '../../src/model/row.ts';
import type { Claim } from '../experiment.ts';
import { allowNginx } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

const claim: Claim = {
  id: '4.3a',
  on: [['enforcing']],
  needs: [],
  seconds: 12,
  async experiment(stage) {
    const elsewhere = await stage.anotherNamespace('other');
    const nginx = { labels: { app: 'nginx' }, ports: [81] };
    const { a, x, f2, n1, n2, v2 } = await stage.pods({
      a: { node: 0, labels: { app: 'frontend' } },
      x: { node: 0 },
      f2: { node: 1, labels: { app: 'frontend' }, namespace: elsewhere },
      n1: { node: 0, ...nginx },
      n2: { node: 1, ...nginx },
      v2: { node: 1, labels: { app: 'nginx-v2' }, ports: [81] },
    });
    const service = await stage.service('nginx-service', { selector: { app: 'nginx' } });
    const look = (what: ReturnType<typeof text>, isolated: boolean) => {
      const to = (
        from: typeof a,
        ip: string,
        port: number,
        open = true,
        protocol: 'TCP' | 'UDP' = 'TCP',
      ): Expected => ({
        ...{ from, to: ip, port, protocol, open: open || !isolated },
      });
      return settle(
        stage,
        what,
        {
          n1: to(a, n1.ip, 80),
          n2: to(a, n2.ip, 80),
          service: to(a, service.clusterIP, 80),
          v2: to(a, v2.ip, 81),
          port81: to(a, n2.ip, 81, false),
          udp: to(a, n2.ip, 80, false, 'UDP'),
          x1: to(x, n1.ip, 80, false),
          x2: to(x, n2.ip, 80, false),
          f2: to(f2, n2.ip, 80, false),
        },
        { within: 20_000 },
      );
    };
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });
    const allOpen = that(text('CONNECTED x9', 'CONNECTED x9'), (said: string) => said === 'CONNECTED x9');

    const before = await look(text('all answer', '全部应答'), false);
    await stage.control(
      row('before', 'all nine pairs, no policy', '无策略：全部九对'),
      allOpen,
      alike(Object.values(before)),
    );

    const policy = await stage.apply(allowNginx());
    const after = await look(text('nginx is isolated', 'nginx 被隔离'), true);
    await stage.decisive(
      row('frontend n1', 'frontend -> nginx 1 :80', 'frontend -> nginx 1:80'),
      reached,
      after.n1,
    );
    await stage.decisive(
      row('frontend n2', 'frontend -> nginx 2 :80', 'frontend -> nginx 2:80'),
      reached,
      after.n2,
    );
    await stage.decisive(
      row('frontend Service', 'frontend -> nginx-service:80', 'frontend -> nginx-service:80'),
      reached,
      after.service,
    );
    await stage.decisive(
      row('frontend 81', 'frontend -> nginx:81', 'frontend -> nginx:81'),
      blocked,
      after.port81,
    );
    await stage.decisive(
      row('frontend UDP', 'frontend -> nginx:80 by UDP', 'frontend -> nginx:80（UDP）'),
      blocked,
      after.udp,
    );
    await stage.decisive(
      row('X n1', 'X (no label) -> nginx 1 :80', 'X（无标签）-> nginx 1:80'),
      blocked,
      after.x1,
    );
    await stage.decisive(
      row('X n2', 'X (no label) -> nginx 2 :80', 'X（无标签）-> nginx 2:80'),
      blocked,
      after.x2,
    );
    await stage.decisive(
      row(
        'frontend elsewhere',
        'frontend of another namespace -> nginx:80',
        '另一命名空间的 frontend -> nginx:80',
      ),
      blocked,
      after.f2,
    );
    await stage.control(
      row('not selected', 'frontend -> app=nginx-v2 :81', 'frontend -> app=nginx-v2:81'),
      reached,
      after.v2,
    );

    await stage.remove(policy);
    const gone = await look(text('all answer again', '再次全部应答'), false);
    await stage.control(
      row('policy deleted', 'all nine pairs, policy deleted', '删除策略：全部九对'),
      allOpen,
      alike(Object.values(gone)),
    );
  },
  sabotages: [forgottenAllowAll('ingress')],
};
export default claim;
