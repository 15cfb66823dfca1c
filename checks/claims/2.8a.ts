/** Kubernetes offers the NetworkPolicy API; whether anything obeys it is the pod network's affair. */
import { derive } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { objectOf } from '../api.ts';
import { blocked, connect, isBlocked, reached } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { policy } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

/** Enforcement comes within seconds of the policy; where none has come by then, none comes. */
const ENFORCED = { within: 8_000 };

const claim: Claim = {
  id: '2.8a',
  on: [['ignoring'], ['enforcing']],
  needs: [],
  seconds: 12,
  async experiment(stage) {
    const { a, nginx } = await stage.pods({ a: { node: 0 }, nginx: { node: 1, labels: { app: 'nginx' } } });
    const ask = () => connect(stage, a, nginx.ip, 80);
    const on = text(`on ${stage.cluster.cni}`, `在 ${stage.cluster.cni} 上`);

    await stage.control(
      { id: 'before', question: text('A -> nginx:80 without a policy', '没有策略时 A -> nginx:80') },
      reached,
      stage.until(text('nginx answers', 'nginx 应答'), ask, (outcome) => outcome === 'CONNECTED'),
    );
    const deny = await stage.apply(policy('deny', { selects: { app: 'nginx' }, ingress: [] }));
    await stage.control(
      { id: 'accepted', question: text('does the API hold the policy', 'API 中是否有该策略') },
      is(true),
      derive(
        await objectOf(stage, {
          apiVersion: deny.apiVersion,
          kind: deny.kind,
          name: 'deny',
          namespace: stage.namespace,
        }),
        (found) => found !== undefined,
      ),
    );
    await stage.decisive(
      {
        id: 'denied',
        question: text('A -> nginx:80 under a policy that admits nobody', '策略不放行任何人时 A -> nginx:80'),
        under: on,
      },
      blocked,
      stage.until(text('the policy is enforced', '策略生效'), ask, isBlocked, ENFORCED),
    );
    await stage.remove(deny);
    await stage.control(
      {
        id: 'policy deleted',
        question: text('A -> nginx:80 after the policy was deleted', '删除策略之后 A -> nginx:80'),
      },
      reached,
      stage.until(text('nginx answers again', 'nginx 再次应答'), ask, (outcome) => outcome === 'CONNECTED'),
    );
  },
  sabotages: [{ ...forgottenAllowAll('ingress'), ground: 'enforcing', becomes: ['REFUTED'] }],
};
export default claim;
