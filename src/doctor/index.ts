/** What this machine can do, and the exact command that mends each lack. Nothing is changed by asking. */
import type { Fact } from './fact.ts';
import {
  cgroupFact,
  diskFact,
  embeddedPackagesFact,
  inotifyFact,
  nodeFact,
  userNamespaceFact,
} from './host.ts';
import { kernelFacts } from './kernel.ts';
import { dockerFact, imageSetFact, kubectlFact } from './tools.ts';

export type { Fact } from './fact.ts';

/** All facts, in the order to show them. */
export async function doctor(): Promise<readonly Fact[]> {
  const [docker, imageSet, kubectl, userns, packages] = await Promise.all([
    dockerFact(),
    imageSetFact(),
    kubectlFact(),
    userNamespaceFact(),
    embeddedPackagesFact(),
  ]);
  const limits = process.platform === 'linux' ? [cgroupFact(), inotifyFact()] : [];
  const kernel = process.platform === 'linux' ? kernelFacts() : [];
  return [nodeFact(), docker, imageSet, kubectl, packages, userns, ...limits, diskFact(), ...kernel];
}

/** What each backend cannot do without, by the ids of the facts. */
const NEEDED = {
  embedded: ['node', 'embedded-packages', 'userns'],
  kind: ['node', 'docker', 'image-set', 'inotify', 'vxlan', 'br-netfilter', 'nf-tables', 'overlay'],
} as const;

/** Which backends work here, and what each of the others lacks. */
export function backendsHere(
  facts: readonly Fact[],
): { backend: keyof typeof NEEDED; lacks: readonly Fact[] }[] {
  const lacking = facts.filter(({ state }) => state === 'lack');
  return (['embedded', 'kind'] as const).map((backend) => ({
    backend,
    lacks: lacking.filter(({ id }) => (NEEDED[backend] as readonly string[]).includes(id)),
  }));
}
