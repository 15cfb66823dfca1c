/** The selector is the Service's; a pod has labels and no selector. */
import { derive, type Observation } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { apiSaid, createStrictly, objectOf, watchWhile } from '../api.ts';
import type { Claim, PodHandle, Stage } from '../experiment.ts';
import { PROBE_IMAGE } from '../images.ts';
import { spread, whoAnswered } from '../spread.ts';

const DRAWS = 40;

/** A pod that nobody schedules, so that only the API judges it. */
const manifest = (name: string, more: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    schedulerName: 'nobody',
    containers: [{ name: 'probe', image: PROBE_IMAGE, imagePullPolicy: 'IfNotPresent' }],
    ...more,
  },
});

/** What a pod is, without what its node reports of it. */
const pods = async (stage: Stage, handles: readonly PodHandle[]): Promise<Observation<string>> => {
  const parts: string[] = [];
  const probes = [];
  for (const { name, namespace } of handles) {
    const seen = await objectOf(stage, { apiVersion: 'v1', kind: 'Pod', name, namespace });
    if (!seen.asked) return seen;
    const pod = seen.value;
    parts.push(JSON.stringify([pod?.metadata['uid'], pod?.metadata['labels'], pod?.['spec']]));
    probes.push(...seen.probes);
  }
  return { asked: true, value: parts.join('\n'), probes };
};

const claim: Claim = {
  id: '2.7d',
  on: [['any']],
  needs: [],
  seconds: 6,
  async experiment(stage) {
    const { a, blue, green } = await stage.pods({
      a: { labels: { app: 'client' } },
      blue: { labels: { app: 'blue' } },
      green: { labels: { app: 'green' } },
    });
    const web = await stage.service('web', { selector: { app: 'blue' } });
    const settled = (who: string, within = 20_000) =>
      stage.until(
        text(`Service web is answered by ${who}`, `Service web 由 ${who} 应答`),
        async () => derive(await spread(stage, a, web.clusterIP, DRAWS), whoAnswered),
        (said) => said === who,
        { within },
      );
    const label = (pod: PodHandle, app: string) =>
      stage.kube.patch(
        { apiVersion: 'v1', kind: 'Pod', name: pod.name, namespace: pod.namespace },
        { metadata: { labels: { app } } },
      );

    await stage.decisive(
      {
        id: 'selector in a pod',
        question: text(
          'POST of a pod with spec.selector, strictly validated',
          '严格校验下 POST 一个带 spec.selector 的 Pod',
        ),
      },
      is('201'),
      derive(
        await createStrictly(stage, {
          ...manifest('chooser', { selector: { matchLabels: { app: 'green' } } }),
          metadata: { name: 'chooser', namespace: stage.namespace },
        }),
        apiSaid,
      ),
    );
    await stage.control(
      {
        id: 'same without it',
        question: text('the same pod without spec.selector', '同一个 Pod，去掉 spec.selector'),
      },
      is('201'),
      derive(
        await createStrictly(stage, {
          ...manifest('plain', {}),
          metadata: { name: 'plain', namespace: stage.namespace },
        }),
        apiSaid,
      ),
    );
    await stage.control(
      { id: 'before', question: text('who answers, selector app=blue', '选择器 app=blue 时谁应答') },
      is('blue'),
      settled('blue'),
    );

    const asTheyWere = await pods(stage, [blue, green]);
    let changed: Observation<string> | undefined;
    const events = await watchWhile(
      stage,
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        namespace: stage.namespace,
        labelSelector: 'kubernetes.io/service-name=web',
      },
      async () => {
        await stage.kube.patch(web.object, { spec: { selector: { app: 'green' } } });
        await stage.point('selector changed');
        changed = await settled('green', 12_000);
      },
    );
    await stage.decisive(
      {
        id: "Service's selector changed",
        question: text(
          "who answers when only the Service's selector has changed",
          '只改 Service 的选择器之后谁应答',
        ),
      },
      that(
        text('blue, as before: the pods choose', 'blue，与之前相同：由 Pod 来选择'),
        (who: string) => who === 'blue',
      ),
      changed!,
    );
    await stage.control(
      {
        id: 'slices rewritten',
        question: text(
          'changes of EndpointSlices of web that a watch told of meanwhile',
          '期间 watch 到的 web 的 EndpointSlice 变更数',
        ),
      },
      that(text('at least 1', '至少 1'), (count: number) => count >= 1),
      derive(events, (all) => all.length),
    );
    const asTheyAre = await pods(stage, [blue, green]);
    await stage.control(
      { id: 'pods untouched', question: text('are the two pods as they were', '两个 Pod 是否保持原样') },
      is(true),
      asTheyWere.asked ? derive(asTheyAre, (now) => now === asTheyWere.value) : asTheyWere,
    );
    await label(a, 'blue-friend');
    await stage.control(
      {
        id: "client's labels",
        question: text("who answers when the client's labels have changed", '改动客户端的标签之后谁应答'),
      },
      is('green'),
      settled('green', 0),
    );
    await label(blue, 'green');
    await stage.control(
      {
        id: "a pod's label",
        question: text('who answers when blue is labelled app=green', '给 blue 打上 app=green 之后谁应答'),
      },
      is('blue green'),
      settled('blue green'),
    );
  },
  sabotages: [
    {
      id: 'put-back',
      title: text(
        "somebody's automation puts the Service's old selector back",
        '某个自动化工具把 Service 的旧选择器改了回去',
      ),
      at: 'selector changed',
      async apply(stage) {
        const web = { apiVersion: 'v1', kind: 'Service', name: 'web', namespace: stage.namespace };
        await stage.kube.patch(web, { spec: { selector: { app: 'blue' } } });
      },
    },
  ],
};
export default claim;
