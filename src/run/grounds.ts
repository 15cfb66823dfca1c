/** The clusters that a run may use, and which of them suit a claim. */
import type { Ground } from '../../checks/experiment.ts';
import { CNIS, type BackendName, type Capability, type Cluster, type Cni } from '../cluster/port.ts';
import { PodlabError } from '../model/errors.ts';
import { near } from '../model/near.ts';
import { text } from '../model/text.ts';

/** A cluster that a run may use; `running` when it is there already. */
export interface Place {
  /** Unique in a run: the pod network, or the cluster's name when clusters were named. */
  readonly key: string;
  readonly cni: Cni | 'other';
  readonly capabilities: ReadonlySet<Capability>;
  /** The name of the running cluster. */
  readonly running?: string;
  /** Used only when a claim cannot do without it. */
  readonly onDemand?: boolean;
}

/** Words of `--cni`: a network by its name, or a family of which the first is used and the second when a claim needs both. */
const FAMILIES: Readonly<Record<string, readonly [Cni, Cni]>> = {
  flannel: ['flannel', 'flannel-host-gw'],
  calico: ['calico-bgp', 'calico-vxlan'],
};

export const CNI_WORDS = [...new Set([...Object.keys(FAMILIES), ...CNIS])];

/** What a cluster of a backend of ours offers once it is up. */
export function offered(_backend: BackendName, cni: Cni): ReadonlySet<Capability> {
  const all: Capability[] = ['NodeCommands', 'ClusterScope'];
  if (cni.startsWith('calico')) all.push('NetworkPolicy');
  if (cni === 'calico-bgp') all.push('Bgp');
  return new Set(all);
}

/**
 * Networks that `--cni flannel,calico-vxlan` asks for; those on demand last.
 * @throws PodlabError `unknown-cni` (user)
 */
export function networks(words: readonly string[]): { cni: Cni; onDemand: boolean }[] {
  const sure = new Set<Cni>();
  const maybe = new Set<Cni>();
  for (const word of words) {
    const family = FAMILIES[word];
    const exact = CNIS.find((known) => known === word);
    if (family) {
      sure.add(family[0]);
      maybe.add(family[1]);
    } else if (exact) sure.add(exact);
    else {
      const close = near(word, CNI_WORDS);
      const choices = (close.length > 0 ? close : CNI_WORDS).join(', ');
      throw new PodlabError({
        code: 'unknown-cni',
        fault: 'user',
        message: text(`There is no pod network "${word}".`, `没有名为“${word}”的 Pod 网络。`),
        hint: text(`Choose one of: ${choices}`, `可选：${choices}`),
      });
    }
  }
  return [
    ...[...sure].map((cni) => ({ cni, onDemand: false })),
    ...[...maybe].filter((cni) => !sure.has(cni)).map((cni) => ({ cni, onDemand: true })),
  ];
}

/** A running cluster as a place. */
export const placeOf = (cluster: Cluster): Place => ({
  key: cluster.name,
  cni: cluster.cni,
  capabilities: cluster.capabilities,
  running: cluster.name,
});

/** Whether an experiment for that ground can be made there. */
export function suits(ground: Ground, place: Place): boolean {
  if (ground === 'any') return true;
  if (ground === 'enforcing') return place.capabilities.has('NetworkPolicy');
  if (ground === 'ignoring') return !place.capabilities.has('NetworkPolicy');
  return place.cni === ground;
}
