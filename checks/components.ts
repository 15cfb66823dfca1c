/**
 * A cluster's components stopped and started one by one, because experiments take them away.
 *
 * On kind a component is *frozen* (SIGSTOP to its processes): it does nothing, keeps what it has written, and goes on at
 * once when it is woken, so an experiment costs milliseconds and no back-off. On the embedded engine the node's
 * `podlab-component` ends and starts it.
 */
import { changeNode, mustOnNode, type Changed } from './node-state.ts';
import type { Stage } from './experiment.ts';
import type { KubeObject } from '../src/kube/kube.ts';
import { asked } from '../src/model/observation.ts';
import { PodlabError } from '../src/model/errors.ts';
import { text } from '../src/model/text.ts';

/** What can be stopped: the name that the embedded engine has for it, and what runs it on kind. */
const COMPONENTS = {
  'kube-proxy': { process: 'kube-proxy', labels: 'k8s-app=kube-proxy', namespace: 'kube-system' },
  coredns: { process: 'coredns', labels: 'k8s-app=kube-dns', namespace: 'kube-system' },
  /** On kind it is a loop inside kube-controller-manager, which is frozen as a whole. */
  'endpointslice-controller': { process: 'kube-controller-manager', labels: '', namespace: 'kube-system' },
  flanneld: { process: 'flanneld', labels: 'app=flannel', namespace: 'kube-flannel' },
} as const;
export type Component = keyof typeof COMPONENTS;

/** Where a component runs. */
function placesOf(stage: Stage, component: Component): string[] {
  const nodes = component === 'endpointslice-controller' ? controlPlane(stage) : stage.nodes;
  return nodes.map((node) => node.name);
}

const controlPlane = (stage: Stage) => {
  const found = stage.nodes.filter((node) => node.role === 'control-plane');
  return found.length > 0 ? found : stage.nodes;
};

/** Processes by the program they run: names in /proc/PID/comm end after 15 characters. */
const signalAll = (signal: 'STOP' | 'CONT', program: string) =>
  `pids=$(find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname '*/${program}' 2>/dev/null | cut -d/ -f3); ` +
  `[ -z "$pids" ] || kill -${signal} $pids`;

/**
 * Stops a component on some nodes (on all, when none are named) until it is reverted.
 * @throws PodlabError `node-change-failed`
 */
export async function stop(stage: Stage, component: Component, nodes?: readonly string[]): Promise<Changed> {
  const { process } = COMPONENTS[component];
  const change =
    stage.cluster.backend === 'embedded'
      ? { apply: `podlab-component stop ${component}`, revert: `podlab-component start ${component}` }
      : { apply: signalAll('STOP', process), revert: signalAll('CONT', process) };
  const changes = await Promise.all(
    (nodes ?? placesOf(stage, component)).map((node) => changeNode(stage, node, change)),
  );
  return {
    revert: async () => {
      await Promise.all(changes.map((one) => one.revert()));
    },
  };
}

/** Starts a component afresh on some nodes (on all, when none are named), as after a reboot of the node. */
export async function restart(stage: Stage, component: Component, nodes?: readonly string[]): Promise<void> {
  const places = nodes ?? placesOf(stage, component);
  if (stage.cluster.backend === 'embedded') {
    const again = `podlab-component stop ${component} && podlab-component start ${component}`;
    await Promise.all(places.map((node) => mustOnNode(stage, node, ['sh', '-c', again])));
    return;
  }
  const { labels, namespace } = COMPONENTS[component];
  const pods = async () =>
    (await stage.kube.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace, labelSelector: labels })).filter(
      (pod) => places.includes(String(pod['spec'].nodeName)),
    );
  const old = await pods();
  await Promise.all(old.map((pod) => stage.kube.delete(pod, { grace: 1 })));
  const former = new Set(old.map(uid));
  const seen = await stage.until(
    text(`${component} runs again`, `${component} 重新运行`),
    async () => asked((await pods()).filter((pod) => !former.has(uid(pod)) && ready(pod)).length),
    (count) => count >= old.length && old.length > 0,
    { within: 90_000 },
  );
  if (!seen.asked || seen.value < old.length || old.length === 0)
    throw new PodlabError({
      code: 'component-missing',
      fault: 'machine',
      message: text(`${component} did not come back`, `${component} 没有恢复运行`),
    });
}

const uid = (object: KubeObject) => String(object.metadata['uid']);
const ready = (pod: KubeObject) =>
  (pod['status']?.conditions ?? []).some(
    (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
  );

const PROXY_CONFIG = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: 'kube-proxy',
  namespace: 'kube-system',
} as const;

/** kube-proxy's mode, as its configuration says (KubeProxyConfiguration `mode`; '' is the default, iptables). */
export const modeIn = (configuration: string): string =>
  /^mode:\s*"?([a-z]*)"?\s*$/m.exec(configuration)?.[1] || 'iptables';

/** The same configuration with another mode. */
export function withMode(configuration: string, mode: string): string {
  if (!/^mode:.*$/m.test(configuration)) return `${configuration.trimEnd()}\nmode: ${mode}\n`;
  return configuration.replace(/^mode:.*$/m, `mode: ${mode}`);
}

/** Gives kube-proxy another mode on every node and starts it afresh; `stage.undo` gives it the old one. */
export async function switchProxyMode(stage: Stage, mode: 'iptables' | 'nftables'): Promise<void> {
  const map = await stage.kube.get(PROXY_CONFIG);
  const before = String(map?.['data']?.['config.conf'] ?? '');
  if (before === '')
    throw new PodlabError({
      code: 'component-missing',
      fault: 'machine',
      message: text('kube-proxy has no ConfigMap here', '此集群没有 kube-proxy 的 ConfigMap'),
    });
  if (modeIn(before) === mode) return;
  const put = async (configuration: string) => {
    await stage.kube.patch(PROXY_CONFIG, { data: { 'config.conf': configuration } });
    await restart(stage, 'kube-proxy');
  };
  stage.undo(async () => {
    const now = await stage.kube.get(PROXY_CONFIG);
    if (modeIn(String(now?.['data']?.['config.conf'] ?? '')) !== modeIn(before)) await put(before);
  });
  await put(withMode(before, mode));
}
