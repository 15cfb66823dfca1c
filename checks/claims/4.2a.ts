/** A Service selects pods and owns none: they outlive it, and whoever has the label joins. */
import { derive } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { blocked, connectAll, isBlocked, alike } from '../connect.ts';
import { dns, dnsSaid } from '../dns.ts';
import type { Claim } from '../experiment.ts';
import { spread } from '../spread.ts';
import { deployment, podStates, readyPods } from '../workloads.ts';
import { wrongSelector } from './sabotages.ts';

const NGINX = { app: 'nginx' };
/** The chance that one of 4 pods stays unseen in 80 draws is 4 * (3/4)^80 < 1e-9. */
const DRAWS = 80;

const claim: Claim = {
  id: '4.2a',
  on: [['any']],
  needs: [],
  seconds: 8,
  async experiment(stage) {
    const making = stage.pods({
      a: {},
      spare: { labels: { app: 'spare' } },
      stranger: { labels: { app: 'nginx2' } },
    });
    await stage.apply(deployment('nginx', 3, NGINX));
    const { a, spare, stranger } = await making;
    const pods = await readyPods(stage, NGINX, 3);
    const service = await stage.service('nginx-service', { selector: NGINX });
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });

    /** How many pods answer, and whether a stranger is among them. */
    const answering = (count: number) =>
      stage.until(
        text(`${count} pods answer`, `${count} 个 Pod 应答`),
        () => spread(stage, a, service.clusterIP, DRAWS),
        (seen) => Object.keys(seen.answered).length === count && Object.keys(seen.failed).length === 0,
        { within: 20_000 },
      );
    const three = await answering(3);
    await stage.decisive(
      {
        ...row(
          'three answer',
          `pods that answer at nginx-service, ${DRAWS} requests`,
          `${DRAWS} 次请求 nginx-service，应答的 Pod 数`,
        ),
        under: text('as selecting', '就“选择”而言'),
      },
      is(3),
      derive(three, (seen) => pods.filter((pod) => seen.answered[pod.name]).length),
    );
    const contains = text('as containing', '就“包含”而言');
    await stage.kube.patch(
      { apiVersion: 'v1', kind: 'Pod', name: spare.name, namespace: spare.namespace },
      { metadata: { labels: NGINX } },
    );
    const four = await answering(4);
    await stage.decisive(
      {
        ...row(
          'a fourth joins',
          'pods that answer after a fourth was labelled app=nginx',
          '第四个 Pod 打上 app=nginx 之后应答的 Pod 数',
        ),
        under: contains,
      },
      that(text('3, as it was created', '3，与创建时相同'), (count: number) => count === 3),
      derive(four, (seen) => Object.keys(seen.answered).length),
    );
    await stage.control(
      row(
        'stranger',
        'requests that a pod labelled app=nginx2 answered',
        '标签为 app=nginx2 的 Pod 应答的请求数',
      ),
      is(0),
      derive(four, (seen) => seen.answered[stranger.name] ?? 0),
    );
    await stage.decisive(
      {
        ...row('owner', 'what owns the pods (ownerReferences)', 'Pod 的所有者（ownerReferences）'),
        under: contains,
      },
      that(text('the Service', 'Service'), (owners: string) => owners.includes('Service/')),
      derive(await podStates(stage, NGINX), (all) =>
        [...new Set(all.flatMap((one) => one.owners.map((owner) => owner.replace(/-[^-]+$/, ''))))].join(' '),
      ),
    );

    await stage.remove(service.object);
    const name = `nginx-service.${stage.namespace}.svc`;
    await stage.control(
      row('name gone', `DNS ${name} after the Service was deleted`, `删除 Service 之后的 DNS ${name}`),
      is('NXDOMAIN'),
      stage.until(
        text('the name is gone', '名字消失'),
        async () => dnsSaid(await dns(stage, a, name)),
        (said) => said === 'NXDOMAIN',
        { within: 40_000 },
      ),
    );
    await stage.control(
      row('address gone', 'A -> the old ClusterIP :80', 'A -> 原 ClusterIP:80'),
      blocked,
      stage.until(
        text('the ClusterIP is dead', 'ClusterIP 不通'),
        async () => (await connectAll(stage, [{ from: a, to: service.clusterIP, port: 80 }]))[0]!,
        isBlocked,
      ),
    );
    await stage.decisive(
      {
        ...row(
          'pods outlive it',
          'A -> each pod :80 after the Service was deleted',
          '删除 Service 之后 A -> 每个 Pod:80',
        ),
        under: contains,
      },
      that(text('gone with it', '随之消失'), (said: string) => said !== 'CONNECTED x3'),
      alike(
        await connectAll(
          stage,
          pods.map((pod) => ({ from: a, to: pod.ip, port: 80 })),
        ),
      ),
    );
  },
  sabotages: [wrongSelector('nginx-service', { app: 'nginx2' })],
};
export default claim;
