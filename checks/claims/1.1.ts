/** Kubernetes deploys, schedules and manages: pods get nodes and addresses, a lost one is replaced, and both can be reached. */
import { derive } from '../../src/model/observation.ts';
import { that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { alike, blocked, connect, isBlocked, reached, settle } from '../connect.ts';
import type { Claim, Stage } from '../experiment.ts';
import { deployment, podsOf, podStates } from '../workloads.ts';

const WEB = { app: 'web' };
const GHOST = { app: 'ghost' };
const START = { within: 90_000 };

const claim: Claim = {
  id: '1.1',
  on: [['any']],
  needs: [],
  seconds: 8,
  async experiment(stage) {
    const { a } = await stage.pods({ a: {} });
    await stage.apply(deployment('ghost', 1, GHOST, { schedulerName: 'nobody' }));
    await stage.apply(deployment('web', 3, WEB));

    const started = await stage.until(
      text('3 pods of the Deployment run', 'Deployment 的 3 个 Pod 运行'),
      () => podsOf(stage, WEB),
      (pods) => pods.length === 3,
      START,
    );
    await stage.decisive(
      {
        id: 'scheduled',
        question: text(
          'pods of a Deployment of 3 with node and address',
          '副本数为 3 的 Deployment：有节点和地址的 Pod 数',
        ),
      },
      that(text('3', '3'), (count: number) => count === 3),
      derive(started, (pods) => pods.filter((one) => one.node && one.ip).length),
    );
    if (!started.asked || started.value.length === 0) return;

    const looks = await settle(
      stage,
      text('every pod answers', '每个 Pod 都应答'),
      Object.fromEntries(
        started.value.map((pod) => [pod.name, { from: a, to: pod.ip, port: 80, open: true }]),
      ),
    );
    await stage.decisive(
      { id: 'reach', question: text('A -> each web pod :80', 'A -> 每个 web Pod 的 80 端口') },
      that(text('CONNECTED x3', 'CONNECTED x3'), (said: string) => said === 'CONNECTED x3'),
      alike(Object.values(looks)),
    );

    await stage.point('replace');
    const lost = started.value[0]!;
    await stage.kube.delete({ apiVersion: 'v1', kind: 'Pod', name: lost.name, namespace: lost.namespace });
    const old = new Set(started.value.map((one) => one.uid));
    const young = async () =>
      derive(await podStates(stage, WEB), (pods) => pods.filter((one) => !old.has(one.uid)));
    const made = await stage.until(
      text('the deleted pod is replaced', '被删除的 Pod 得到替补'),
      young,
      (pods) => pods.length > 0,
      { within: 30_000 },
    );
    // One that was made is waited for; where none was made, none would come.
    const replaced =
      made.asked && made.value.length > 0
        ? await stage.until(
            text('the replacement runs', '替补 Pod 运行'),
            young,
            (pods) => pods.some((one) => one.ready),
            START,
          )
        : made;
    await stage.decisive(
      {
        id: 'replaced',
        question: text('new pods after one was deleted', '删除一个 Pod 之后出现的新 Pod 数'),
      },
      that(text('1', '1'), (count: number) => count === 1),
      derive(replaced, (pods) => pods.filter((one) => one.ready).length),
    );
    const fresh = replaced.asked ? replaced.value.find((one) => one.ready) : undefined;
    if (fresh)
      await stage.decisive(
        { id: 'reach new', question: text('A -> the replacement :80', 'A -> 替补 Pod 的 80 端口') },
        reached,
        stage.until(
          text('the replacement answers', '替补 Pod 应答'),
          () => connect(stage, a, fresh.ip, 80),
          (outcome) => outcome === 'CONNECTED',
        ),
      );
    await stage.control(
      { id: 'old address', question: text("A -> the deleted pod's address", 'A -> 被删除 Pod 的旧地址') },
      blocked,
      stage.until(
        text('the old address is silent', '旧地址不再应答'),
        () => connect(stage, a, lost.ip, 80),
        isBlocked,
      ),
    );
    await stage.control(
      {
        id: 'no scheduler',
        question: text('a pod whose scheduler does not exist, all this time', '调度器不存在的 Pod，直到此时'),
      },
      that(
        text('Pending, no node, no address', 'Pending，没有节点，没有地址'),
        (said: string) => said === 'Pending',
      ),
      ghost(stage),
    );
  },
  sabotages: [
    {
      id: 'orphaned',
      title: text(
        'the controllers are deleted and their pods left behind (--cascade=orphan)',
        '控制器被删除，只剩下它们的 Pod（--cascade=orphan）',
      ),
      at: 'replace',
      async apply(stage) {
        for (const kind of ['Deployment', 'ReplicaSet']) {
          const of = { apiVersion: 'apps/v1', kind };
          const options = {
            namespace: stage.namespace,
            labelSelector: kind === 'ReplicaSet' ? 'app=web' : undefined,
          };
          const found = (await stage.kube.list(of, options)).filter((one) =>
            one.metadata.name.startsWith('web'),
          );
          for (const one of found) {
            await stage.kube.delete(one, { propagation: 'Orphan' });
            await stage.remove(one); // Waits until it is gone.
          }
        }
      },
    },
  ],
};
export default claim;

/** What became of the pod that no scheduler takes. */
async function ghost(stage: Stage) {
  return derive(await podStates(stage, GHOST), (pods) =>
    pods.map((one) => [one.phase, one.node, one.ip].filter(Boolean).join(' ')).join(', '),
  );
}
