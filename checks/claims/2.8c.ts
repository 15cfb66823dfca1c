/** Ports in a policy are pod ports, after a Service's translation; every other port and protocol is shut. */
import { text } from '../../src/model/text.ts';
import { blocked, reached, settle, type Expected } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { pods, policy } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

const claim: Claim = {
  id: '2.8c',
  on: [['enforcing']],
  needs: [],
  seconds: 14,
  async experiment(stage) {
    const { frontend, nginx } = await stage.pods({
      frontend: { node: 0, labels: { app: 'frontend' } },
      nginx: { node: 1, labels: { app: 'nginx' }, ports: [81] },
    });
    const service = await stage.service('web', { selector: { app: 'nginx' }, ports: { 8080: 80 } });
    type Name = 'tcp80' | 'tcp81' | 'udp80' | 'service';
    /** Asks all four until exactly these are open. */
    const look = (what: ReturnType<typeof text>, ...open: Name[]) => {
      const of = (name: Name, to: string, port: number, protocol: 'TCP' | 'UDP' = 'TCP'): Expected => ({
        ...{ from: frontend, to, port, protocol, open: open.includes(name) },
      });
      return settle(
        stage,
        what,
        {
          tcp80: of('tcp80', nginx.ip, 80),
          tcp81: of('tcp81', nginx.ip, 81),
          udp80: of('udp80', nginx.ip, 80, 'UDP'),
          service: of('service', service.clusterIP, 8080),
        },
        { within: 20_000 },
      );
    };
    const allow = (ports?: object[]) =>
      stage.apply(
        policy('allow', {
          selects: { app: 'nginx' },
          ingress: [{ from: [pods({ app: 'frontend' })], ...(ports ? { ports } : {}) }],
        }),
      );
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });

    const before = await look(text('all answer', '全部应答'), 'tcp80', 'tcp81', 'udp80', 'service');
    for (const [name, seen] of Object.entries(before))
      await stage.control(
        row(`${name} before`, `frontend -> ${name}, no policy`, `无策略：frontend -> ${name}`),
        reached,
        seen,
      );

    await allow([{ port: 80, protocol: 'TCP' }]);
    const only80 = await look(text('only TCP 80 is open', '只有 TCP 80 开放'), 'tcp80', 'service');
    await stage.decisive(
      row('TCP 80', 'policy says TCP 80: nginx:80', '策略写 TCP 80：nginx:80'),
      reached,
      only80.tcp80,
    );
    await stage.decisive(
      row('TCP 81', 'policy says TCP 80: nginx:81', '策略写 TCP 80：nginx:81'),
      blocked,
      only80.tcp81,
    );
    await stage.decisive(
      row('UDP 80', 'policy says TCP 80: nginx:80 by UDP', '策略写 TCP 80：UDP nginx:80'),
      blocked,
      only80.udp80,
    );
    await stage.decisive(
      row(
        'Service 8080',
        'policy says TCP 80: Service:8080 (target 80)',
        '策略写 TCP 80：Service:8080（目标端口 80）',
      ),
      reached,
      only80.service,
    );

    await allow([{ port: 8080, protocol: 'TCP' }]);
    const only8080 = await look(text('only TCP 8080 is open', '只有 TCP 8080 开放'));
    await stage.decisive(
      row(
        'Service port',
        'policy says TCP 8080: Service:8080 (target 80)',
        '策略写 TCP 8080：Service:8080（目标端口 80）',
      ),
      blocked,
      only8080.service,
    );

    await allow();
    const every = await look(
      text('every port is open', '所有端口开放'),
      'tcp80',
      'tcp81',
      'udp80',
      'service',
    );
    await stage.control(
      row('no ports', 'policy without ports: nginx:81', '策略不写端口：nginx:81'),
      reached,
      every.tcp81,
    );
  },
  sabotages: [forgottenAllowAll('ingress')],
};
export default claim;
