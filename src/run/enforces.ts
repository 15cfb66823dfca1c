/** Does this cluster enforce NetworkPolicy at all? The first thing that is asked of a cluster which is not ours. */
import type { Claim } from '../../checks/experiment.ts';
import type { Cluster } from '../cluster/port.ts';
import { Kube } from '../kube/kube.ts';
import type { Listener } from '../model/events.ts';
import { asked, derive, notAsked, type Observation } from '../model/observation.ts';
import { text } from '../model/text.ts';
import { openStage } from './stage.ts';

/** A policy that has done nothing for so long is not enforced; real ones take well under 5 s. */
const PATIENCE = 15_000;

/**
 * Asks with packets: a pod answers, a policy that denies everything is made, and the same question is asked until it
 * times out; then the policy goes, and it has to answer again. Versions and names of plugins are not looked at.
 */
export async function enforcesPolicy(
  cluster: Cluster,
  signal: AbortSignal,
  listener: Listener,
): Promise<Observation<boolean>> {
  const claim: Claim = {
    id: 'enforces',
    on: [['any']],
    needs: [],
    experiment: async () => undefined,
    sabotages: [],
  };
  const kube = await Kube.open(cluster.kubeconfig, cluster.context);
  const { stage, close } = await openStage({ claim, cluster, kube, signal, listener });
  try {
    const { client, server } = await stage.pods({ client: { node: 0 }, server: { node: 1 } });
    const connects = async () =>
      derive(
        await stage.exec(client, ['/agnhost', 'connect', '--timeout=2s', `${server.ip}:80`]),
        (answer) => answer.code === 0,
      );
    const before = await stage.until(text('the server answers', '服务端有响应'), connects, Boolean);
    if (!before.asked) return before;
    if (!before.value)
      return notAsked(
        text('a pod does not answer even without a policy', '没有任何策略时 Pod 也没有响应'),
        ...before.probes,
      );
    const policy = await stage.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'deny-all' },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    });
    const during = await stage.until(
      text('the policy takes effect', '策略生效'),
      connects,
      (connected) => !connected,
      { within: PATIENCE },
    );
    if (!during.asked || during.value) return derive(during, () => false);
    await stage.remove(policy);
    const after = await stage.until(
      text('without the policy it answers again', '删除策略后恢复'),
      connects,
      Boolean,
    );
    // If it does not come back, something else than the policy stopped it.
    return after.asked ? asked(after.value, ...before.probes, ...during.probes, ...after.probes) : after;
  } finally {
    await close({ wait: true });
    kube.close();
  }
}
