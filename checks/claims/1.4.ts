/** Stateless and stateful both: any backend will do behind a Service; a StatefulSet's member keeps its name and changes its address. */
import { derive } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { dns, dnsSaid } from '../dns.ts';
import type { Claim } from '../experiment.ts';
import { answeredBy } from '../http.ts';
import { spread } from '../spread.ts';
import { deployment, podsOf, readyPods, statefulSet } from '../workloads.ts';
import { wrongSelector } from './sabotages.ts';

/** CoreDNS caches an answer for up to 30 s (kubeadm's Corefile: `cache 30`). */
const CACHED = { within: 40_000 };
const DB = { app: 'db' };
const WEB = { app: 'web' };

const claim: Claim = {
  id: '1.4',
  on: [['any']],
  needs: [],
  seconds: 10,
  async experiment(stage) {
    const making = stage.pods({ a: {} });
    await stage.service('db', { selector: DB, spec: { clusterIP: 'None' } });
    const service = await stage.service('web', { selector: WEB });
    await stage.apply(statefulSet('db', 2, DB, 'db'));
    await stage.apply(deployment('web', 2, WEB));
    const { a } = await making;
    const [first] = await readyPods(stage, DB, 2);
    const web = await readyPods(stage, WEB, 2);

    const name = `db-0.db.${stage.namespace}.svc`;
    await stage.decisive(
      { id: 'member by name', question: text(`DNS ${name}`, `DNS ${name}`) },
      is(first!.ip),
      stage.until(
        text('the name of db-0 is known', '可以解析 db-0 的名字'),
        async () => dnsSaid(await dns(stage, a, name)),
        (said) => said === first!.ip,
        CACHED,
      ),
    );
    await stage.decisive(
      {
        id: 'any backend',
        question: text('A -> Service web, 40 requests: answered', 'A -> Service web，40 次请求的应答数'),
      },
      is(40),
      stage.until(
        text('Service web answers', 'Service web 应答'),
        async () =>
          derive(await spread(stage, a, service.clusterIP, 40), ({ answered }) =>
            Object.values(answered).reduce((sum, n) => sum + n, 0),
          ),
        (answered) => answered === 40,
      ),
    );

    await stage.point('replace');
    await stage.kube.delete({ apiVersion: 'v1', kind: 'Pod', name: 'db-0', namespace: stage.namespace });
    const again = await stage.until(
      text('a new db-0 runs', '新的 db-0 运行'),
      async () =>
        derive(await podsOf(stage, DB), (pods) =>
          pods.filter((one) => one.name === 'db-0' && one.uid !== first!.uid),
        ),
      (pods) => pods.length === 1,
      { within: 90_000 },
    );
    if (!again.asked || again.value.length === 0) {
      await stage.decisive(
        { id: 'member again', question: text('new pods named db-0', '名为 db-0 的新 Pod 数') },
        is(1),
        derive(again, (pods) => pods.length),
      );
      return;
    }
    const ip = again.value[0]!.ip;
    await stage.decisive(
      {
        id: 'name follows',
        question: text('DNS of db-0 after it was replaced', 'db-0 被替换之后的 DNS'),
      },
      that(text(`the new address ${ip}`, `新地址 ${ip}`), (said: string) => said === ip),
      stage.until(
        text('the name points at the new db-0', '名字指向新的 db-0'),
        async () => dnsSaid(await dns(stage, a, name)),
        (said) => said === ip,
        CACHED,
      ),
    );
    await stage.decisive(
      { id: 'same member', question: text('who answers at the new address', '新地址上应答的是谁') },
      is('db-0'),
      stage.until(
        text('the new db-0 answers', '新的 db-0 应答'),
        () => answeredBy(stage, a, ip),
        (who) => who === 'db-0',
      ),
    );
    await stage.control(
      {
        id: 'no such name',
        question: text("DNS of a Deployment's pod by its name", 'Deployment 的 Pod 用自己的名字查询 DNS'),
      },
      is('NXDOMAIN'),
      dnsSaid(await dns(stage, a, `${web[0]!.name}.web.${stage.namespace}.svc`)),
    );
  },
  sabotages: [wrongSelector('db', { app: 'nobody' })],
};
export default claim;
