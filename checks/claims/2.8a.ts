/** Kubernetes offers the NetworkPolicy API; whether anything obeys it is the pod network's affair. */
import { derive } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { objectOf } from '../api.ts';
import { capture } from '../capture.ts';
import { blocked, connect, isBlocked, reached } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { answeredBy } from '../http.ts';
import { policy } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

/** Enforcement comes within seconds of the policy. Where it is not to be expected it is waited for all the same. */
const ENFORCED = 30_000;
const IGNORED = 8_000;

/** Segments whose payload begins with `GET ` (pcap-filter(7): bytes behind the TCP header). */
const READABLE = 'tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420';

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
    if (stage.cluster.capabilities.has('NodeCommands')) {
      const filter = `src host ${a.ip} and dst host ${nginx.ip} and tcp dst port 80 and ${READABLE}`;
      const listening = await capture(stage, { node: a.node, device: 'any', filter });
      await stage.control(
        { id: 'request', question: text('who answers A on nginx:80', '谁应答 A 对 nginx:80 的请求') },
        is('nginx'),
        answeredBy(stage, a, nginx.ip),
      );
      await stage.decisive(
        {
          id: 'payload',
          question: text(
            "can the request be read on the way, on A's node",
            '在 A 的节点上能否读到途中的请求',
          ),
          under: text('as to who listens in', '就窃听而言'),
        },
        is(false),
        derive(await listening.stop(), ({ packets }) => packets.length > 0),
      );
    }
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
      stage.until(text('the policy is enforced', '策略生效'), ask, isBlocked, {
        within: stage.cluster.capabilities.has('NetworkPolicy') ? ENFORCED : IGNORED,
      }),
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
