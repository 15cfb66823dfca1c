/** A policy restricts ingress (the direction of traffic, not the Ingress resource) and leaves the other direction alone. */
import { text } from '../../src/model/text.ts';
import { blocked, reached, settle } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { pods, policy } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

const claim: Claim = {
  id: '2.8b',
  on: [['enforcing']],
  needs: [],
  seconds: 10,
  async experiment(stage) {
    const { frontend, other, nginx } = await stage.pods({
      frontend: { node: 0, labels: { app: 'frontend' } },
      other: { node: 0 },
      nginx: { node: 1, labels: { app: 'nginx' } },
    });
    /** Asks all three directions until they are as said. */
    const look = (what: ReturnType<typeof text>, open: { frontend: boolean; other: boolean }) =>
      settle(
        stage,
        what,
        {
          frontend: { from: frontend, to: nginx.ip, port: 80, open: open.frontend },
          other: { from: other, to: nginx.ip, port: 80, open: open.other },
          back: { from: nginx, to: frontend.ip, port: 80, open: true },
        },
        { within: 20_000 },
      );
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });

    const before = await look(text('all answer', '全部应答'), { frontend: true, other: true });
    await stage.control(
      row('frontend before', 'frontend -> nginx:80, no policy', '无策略：frontend -> nginx:80'),
      reached,
      before.frontend,
    );
    await stage.control(
      row('other before', 'other -> nginx:80, no policy', '无策略：other -> nginx:80'),
      reached,
      before.other,
    );

    await stage.apply(policy('deny', { selects: { app: 'nginx' }, ingress: [] }));
    const denied = await look(text('nginx is isolated', 'nginx 被隔离'), { frontend: false, other: false });
    await stage.decisive(
      row('frontend denied', 'frontend -> nginx:80, ingress denied', '拒绝入流量：frontend -> nginx:80'),
      blocked,
      denied.frontend,
    );
    await stage.decisive(
      row('other denied', 'other -> nginx:80, ingress denied', '拒绝入流量：other -> nginx:80'),
      blocked,
      denied.other,
    );
    await stage.control(
      row('egress denied', 'nginx -> frontend:80, ingress denied', '拒绝入流量：nginx -> frontend:80'),
      reached,
      denied.back,
    );

    await stage.apply(
      policy('allow', { selects: { app: 'nginx' }, ingress: [{ from: [pods({ app: 'frontend' })] }] }),
    );
    const allowed = await look(text('frontend is admitted', 'frontend 被放行'), {
      frontend: true,
      other: false,
    });
    await stage.decisive(
      row(
        'frontend allowed',
        'frontend -> nginx:80, frontend allowed',
        '放行 frontend：frontend -> nginx:80',
      ),
      reached,
      allowed.frontend,
    );
    await stage.decisive(
      row('other still denied', 'other -> nginx:80, frontend allowed', '放行 frontend：other -> nginx:80'),
      blocked,
      allowed.other,
    );
    await stage.control(
      row('egress allowed', 'nginx -> frontend:80, frontend allowed', '放行 frontend：nginx -> frontend:80'),
      reached,
      allowed.back,
    );
  },
  sabotages: [forgottenAllowAll('ingress')],
};
export default claim;
