/** Does this cluster enforce NetworkPolicy at all? The first thing that is asked of a cluster which is not ours. */
import { connectAll, isBlocked } from '../../checks/connect.ts';
import type { Claim } from '../../checks/experiment.ts';
import type { Cluster } from '../cluster/port.ts';
import { Kube } from '../kube/kube.ts';
import type { Listener } from '../model/events.ts';
import { asked, derive, notAsked, together, type Observation } from '../model/observation.ts';
import type { Outcome } from '../model/outcome.ts';
import { text } from '../model/text.ts';
import { openStage } from './stage.ts';

/** A policy that has done nothing for so long is not enforced; real ones take well under 5 s. */
const PATIENCE = 15_000;

/** What the server that the policy selects said, and the one beside it that no policy selects. */
interface Look {
  readonly server: Outcome;
  readonly witness: Outcome;
}

/**
 * Asks with packets: two pods answer, a policy that denies everything to one of them is made, and both are asked until that one
 * is blocked three times in a row while the other answers; then the policy goes, and both have to answer again. Versions and names of plugins are not looked at.
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
    const pods = await stage.pods({
      client: { node: 0 },
      server: { node: 1, labels: { role: 'server' } },
      witness: { node: 1 },
    });
    const questions = [pods.server, pods.witness].map((to) => ({ from: pods.client, to: to.ip, port: 80 }));
    /** What both say, as often as asked; one look can be lost on a busy machine. */
    const looks = (times: number) => async (): Promise<Observation<Look[]>> => {
      const all: Observation<Look>[] = [];
      for (let at = 0; at < times; at += 1)
        all.push(
          derive(together(await connectAll(stage, questions)), ([server, witness]) => ({
            server: server!,
            witness: witness!,
          })),
        );
      return together(all);
    };
    const open = (seen: readonly Look[]) =>
      seen.every(({ server, witness }) => server === 'CONNECTED' && witness === 'CONNECTED');
    const before = await stage.until(text('both servers answer', '两个服务端都有响应'), looks(1), open);
    if (!before.asked) return before;
    if (!open(before.value))
      return notAsked(
        text('a pod does not answer even without a policy', '没有任何策略时 Pod 也没有响应'),
        ...before.probes,
      );
    const policy = await stage.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'deny-server' },
      spec: { podSelector: { matchLabels: { role: 'server' } }, policyTypes: ['Ingress'] },
    });
    const denied = (seen: readonly Look[]) =>
      seen.every(({ server, witness }) => isBlocked(server) && witness === 'CONNECTED');
    const during = await stage.until(text('the policy takes effect', '策略生效'), looks(3), denied, {
      within: PATIENCE,
    });
    if (!during.asked || !denied(during.value)) return derive(during, () => false);
    await stage.remove(policy);
    const after = await stage.until(
      text('without the policy it answers again', '删除策略后恢复'),
      looks(1),
      open,
    );
    // If it does not come back, something else than the policy stopped it.
    return after.asked
      ? asked(open(after.value), ...before.probes, ...during.probes, ...after.probes)
      : after;
  } finally {
    await close({ wait: true });
    kube.close();
  }
}
