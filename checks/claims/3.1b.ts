/** kube-proxy watches EndpointSlices. Endpoints, which it watched before 1.19, count only where a controller mirrors them into slices. */
import { asked, derive, type Observation } from '../../src/model/observation.ts';
import { is, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import type { KubeObject } from '../../src/kube/kube.ts';
import { api, objectOf } from '../api.ts';
import { blocked, connect, isBlocked, reached } from '../connect.ts';
import { endpoints } from '../endpoints.ts';
import type { Claim, Stage } from '../experiment.ts';
import { row } from '../places.ts';

const SKIP = 'endpointslice.kubernetes.io/skip-mirror';

/** A slice written by hand for a Service (Kubernetes: EndpointSlices, Management). */
const slice = (service: string, ip: string): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${service}-by-hand`, labels: { 'kubernetes.io/service-name': service } },
  addressType: 'IPv4',
  ports: [{ name: 'tcp-80', port: 80, protocol: 'TCP' }],
  endpoints: [{ addresses: [ip], conditions: { ready: true } }],
});

/** Endpoints of the old API. */
const oldEndpoints = (service: string, ip: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name: service, labels: { [SKIP]: 'true' } },
  subsets: [{ addresses: [{ ip }], ports: [{ name: 'tcp-80', port: 80, protocol: 'TCP' }] }],
});

/** Whether this version of Kubernetes says that Endpoints are deprecated (KEP-4974: from 1.33). */
async function saysDeprecated(stage: Stage): Promise<boolean> {
  const version = (await stage.kube.request('GET', '/version')).json as { major?: string; minor?: string };
  return Number(version?.major) > 1 || Number.parseInt(version?.minor ?? '0', 10) >= 33;
}

const claim: Claim = {
  id: '3.1b',
  on: [['any']],
  needs: [],
  seconds: 8,
  async experiment(stage) {
    const { a, b } = await stage.pods({ a: { node: 0 }, b: { node: 1 } });
    const endpointsOnly = await stage.service('endpoints-only', {});
    await stage.apply(oldEndpoints(endpointsOnly.name, b.ip));
    const sliceOnly = await stage.service('slice-only', {});
    await stage.apply(slice(sliceOnly.name, b.ip));
    const ask = (ip: string) => () => connect(stage, a, ip, 80);
    const ref = { apiVersion: 'v1', kind: 'Endpoints', namespace: stage.namespace } as const;

    await stage.control(
      row('pod', 'A -> the pod behind both, by its own address', 'A -> 两者背后的 Pod 自己的地址'),
      reached,
      stage.until(text('the pod answers', 'Pod 应答'), ask(b.ip), (outcome) => outcome === 'CONNECTED'),
    );
    await stage.control(
      row(
        'Endpoints',
        'the address that Endpoints endpoints-only names',
        'Endpoints endpoints-only 中的地址',
      ),
      is(b.ip),
      derive(await objectOf(stage, { ...ref, name: endpointsOnly.name }), (object) =>
        String(object?.['subsets']?.[0]?.addresses?.[0]?.ip),
      ),
    );
    await stage.decisive(
      row(
        'slice only',
        'A -> Service with an EndpointSlice and without Endpoints',
        'A -> 只有 EndpointSlice、没有 Endpoints 的 Service',
        { era: 'now' },
      ),
      blocked,
      stage.until(
        text('the Service with a slice answers', '有 EndpointSlice 的 Service 应答'),
        ask(sliceOnly.clusterIP),
        (outcome) => outcome === 'CONNECTED',
      ),
    );
    await stage.control(
      row(
        'no Endpoints',
        'Endpoints of the Service that has a slice',
        '有 EndpointSlice 的 Service 的 Endpoints',
      ),
      is('none'),
      derive(await objectOf(stage, { ...ref, name: sliceOnly.name }), (object) => (object ? 'some' : 'none')),
    );
    // Made earlier than what answers by now: what kube-proxy does not serve yet, it will not.
    await stage.point('both known');
    await stage.decisive(
      row(
        'Endpoints only',
        'A -> Service with Endpoints, which no controller mirrors',
        'A -> 有 Endpoints、但不被镜像的 Service',
        { era: 'now' },
      ),
      reached,
      ask(endpointsOnly.clusterIP)(),
    );
    if (await saysDeprecated(stage))
      await stage.decisive(
        row(
          'deprecated',
          'what the API server says of reading Endpoints',
          '读取 Endpoints 时 API server 的提示',
          { era: 'now' },
        ),
        that(text('nothing', '没有提示'), (warning: string) => warning === ''),
        await warningOf(stage, await stage.kube.path({ ...ref, name: endpointsOnly.name })),
      );

    await stage.kube.patch({ ...ref, name: endpointsOnly.name }, { metadata: { labels: { [SKIP]: null } } });
    await stage.decisive(
      row(
        'Endpoints mirrored',
        'the same Service and Endpoints, when a controller mirrors them',
        '同一个 Service 和 Endpoints，由控制器镜像之后',
        { era: 'then' },
      ),
      reached,
      stage.until(
        text('the Service with mirrored Endpoints answers', '镜像之后 Service 应答'),
        ask(endpointsOnly.clusterIP),
        (outcome) => outcome === 'CONNECTED',
      ),
    );
    await stage.control(
      row(
        'the mirror is a slice',
        'the address in its EndpointSlices by now',
        '此时它的 EndpointSlice 中的地址',
      ),
      is(b.ip),
      derive(await endpoints(stage, endpointsOnly), (all) =>
        [...new Set(all.map((one) => one.address))].join(' '),
      ),
    );
  },
  sabotages: [
    {
      id: 'slice-appears',
      title: text(
        'somebody writes an EndpointSlice for the Service that has only Endpoints',
        '有人给只有 Endpoints 的 Service 写了一个 EndpointSlice',
      ),
      at: 'both known',
      async apply(stage) {
        const of = (kind: string, name: string) =>
          stage.kube.get({ apiVersion: 'v1', kind, name, namespace: stage.namespace });
        const [pod, service] = [await of('Pod', 'b'), await of('Service', 'endpoints-only')];
        await stage.apply(slice('endpoints-only', String(pod?.['status'].podIP)));
        const a = { name: 'a', namespace: stage.namespace, ip: '', node: '', uid: '' };
        await stage.until(
          text('the slice takes effect', 'EndpointSlice 生效'),
          () => connect(stage, a, String(service?.['spec'].clusterIP), 80),
          (outcome) => !isBlocked(outcome),
        );
      },
    },
  ],
};
export default claim;

/** The Warning header of an answer, '' when there was none. */
async function warningOf(stage: Stage, path: string): Promise<Observation<string>> {
  const seen = await api(stage, 'GET', path);
  if (!seen.asked) return seen;
  return asked(seen.probes[0]!.stderr.trim(), ...seen.probes);
}
