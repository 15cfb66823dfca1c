/** Who handles the request? Through the Service any of the pods; C for certain only when C itself is addressed. */
import { derive } from '../../src/model/observation.ts';
import { that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import type { Claim } from '../experiment.ts';
import { clusterDomain, dns, dnsSaid } from '../dns.ts';
import { spread, type Spread } from '../spread.ts';
import { readyPods, statefulSet } from '../workloads.ts';
import { wrongSelector } from './sabotages.ts';

const NGINX = { app: 'nginx' };
const C = 'nginx-2';
const DRAWS = 300;

const shareOfC = ({ sent, answered }: Spread): number => (answered[C] ?? 0) / sent;

const claim: Claim = {
  id: '4.3d',
  on: [['any']],
  needs: [],
  seconds: 8,
  async experiment(stage) {
    const making = stage.pods({ a: {} });
    await stage.service('nginx', { selector: NGINX, spec: { clusterIP: 'None' } });
    const service = await stage.service('nginx-service', { selector: NGINX });
    const sticky = await stage.service('sticky', { selector: NGINX, spec: { sessionAffinity: 'ClientIP' } });
    await stage.apply(statefulSet('nginx', 3, NGINX, 'nginx'));
    const { a } = await making;
    const pods = await readyPods(stage, NGINX, 3);
    const c = pods.find((one) => one.name === C)!;

    const many = (to: string, count: number) => () => spread(stage, a, to, count);
    const whole = (count: number) => (seen: Spread) =>
      seen.sent === count && Object.keys(seen.failed).length === 0;
    // All three stand behind the Service before the 300 are counted.
    await stage.until(
      text('the Service spreads over its pods', 'Service 分发到各个 Pod'),
      many(service.clusterIP, 60),
      (seen) => whole(60)(seen) && Object.keys(seen.answered).length === 3,
      { within: 10_000 },
    );
    await stage.decisive(
      {
        id: 'through the Service',
        question: text(
          `who answers ${DRAWS} requests to nginx-service (C is ${C})`,
          `${DRAWS} 次请求 nginx-service 由谁应答（C 是 ${C}）`,
        ),
        under: text('through nginx-service', '通过 nginx-service'),
      },
      that(text('C, more than 60 %', 'C，超过 60%'), (seen: Spread) => shareOfC(seen) > 0.6),
      many(service.clusterIP, DRAWS)(),
    );

    const itself = text("by C's own name or address", '用 C 自己的名字或地址');
    const onlyC = that(text('C alone', '只有 C'), (seen: Spread) => shareOfC(seen) === 1);
    await stage.decisive(
      {
        id: "C's address",
        question: text("who answers 50 requests to C's address", '50 次请求 C 的地址由谁应答'),
        under: itself,
      },
      onlyC,
      many(c.ip, 50)(),
    );
    const short = `${C}.nginx.${stage.namespace}.svc`;
    await stage.until(
      text('the name of C is known', '可以解析 C 的名字'),
      async () => dnsSaid(await dns(stage, a, short)),
      (said) => said === c.ip,
      { within: 40_000 },
    );
    const domain = await clusterDomain(stage, a);
    await stage.decisive(
      {
        id: "C's name",
        question: text(`who answers 50 requests to ${short}`, `50 次请求 ${short} 由谁应答`),
        under: itself,
      },
      onlyC,
      domain.asked ? many(`${short}.${domain.value}`, 50)() : domain,
    );
    await stage.control(
      {
        id: 'sticky',
        question: text(
          'pods that answer 50 requests with ClientIP affinity',
          '开启 ClientIP 会话保持时应答 50 次请求的 Pod',
        ),
      },
      that(text('one pod, any', '一个 Pod，任意'), (count: number) => count === 1),
      derive(
        await stage.until(
          text('the sticky Service answers', '会话保持的 Service 应答'),
          many(sticky.clusterIP, 50),
          whole(50),
        ),
        (seen) => Object.keys(seen.answered).length,
      ),
    );
  },
  sabotages: [
    {
      ...wrongSelector('nginx-service', { 'statefulset.kubernetes.io/pod-name': C }, 'only-c'),
      becomes: ['CONFIRMED'],
    },
  ],
};
export default claim;
