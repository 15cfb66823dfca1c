/** Shares claims out over the clusters that a run may use: as few clusters as will do, and even work on them. */
import type { Claim } from '../../checks/experiment.ts';
import { text, type Text } from '../model/text.ts';
import { suits, type Place } from './grounds.ts';

/** A claim and where it is asked: one place for each of its groups, all different. */
export interface Assignment {
  readonly claim: Claim;
  readonly places: readonly Place[];
}

export interface Plan {
  readonly assignments: readonly Assignment[];
  readonly skipped: readonly { readonly claim: Claim; readonly reason: Text }[];
}

/** What a claim is thought to take when it does not say, in seconds. */
export const USUAL_SECONDS = 20;

/** Every way to give each group a place of its own. */
function ways(groups: readonly (readonly Place[])[], taken: readonly Place[] = []): Place[][] {
  const [group, ...rest] = groups;
  if (group === undefined) return [[...taken]];
  return group.filter((place) => !taken.includes(place)).flatMap((place) => ways(rest, [...taken, place]));
}

/** Why a claim cannot be asked on these places. */
function lack(claim: Claim, places: readonly Place[]): Text {
  const capable = places.filter((place) => claim.needs.every((need) => place.capabilities.has(need)));
  if (capable.length === 0) {
    const missing = claim.needs.filter((need) => places.every((place) => !place.capabilities.has(need)));
    const names = (missing.length > 0 ? missing : claim.needs).join(', ');
    return text(`needs ${names}`, `需要 ${names}`);
  }
  const unmet = claim.on.find(
    (group) => !capable.some((place) => group.some((ground) => suits(ground, place))),
  );
  const wanted = unmet ? unmet.join(' / ') : claim.on.map((group) => group.join(' / ')).join(' + ');
  const chosen = places.map((place) => place.key).join(', ');
  return text(`needs a cluster with ${wanted}; chosen: ${chosen}`, `需要 ${wanted} 的集群；已选：${chosen}`);
}

/** Experiments beside others share a cluster's time; one that disturbs has it alone. */
const ALONGSIDE = 4;

/** What a claim keeps a cluster busy for, in seconds. */
const weight = (claim: Claim): number => (claim.seconds ?? USUAL_SECONDS) / (claim.disturbs ? 1 : ALONGSIDE);

/**
 * Shares the claims out. Those with the fewest ways come first, so that the others can join the clusters that must be
 * there; of the others the heaviest.
 * @param cheap a cluster costs next to nothing: the work is spread evenly over all of them
 */
export function plan(claims: readonly Claim[], places: readonly Place[], cheap = false): Plan {
  const options = claims.map((claim) => {
    const capable = places.filter((place) => claim.needs.every((need) => place.capabilities.has(need)));
    return {
      claim,
      ways: ways(
        claim.on.map((group) => capable.filter((place) => group.some((ground) => suits(ground, place)))),
      ),
    };
  });
  const load = new Map<Place, number>();
  const price = (place: Place) =>
    cheap || load.has(place) || place.running !== undefined ? 0 : place.onDemand ? 2 : 1;
  const cost = (way: readonly Place[]): [number, number] => [
    way.reduce((sum, place) => sum + price(place), 0),
    Math.max(...way.map((place) => load.get(place) ?? 0)),
  ];
  const chosen = new Map<Claim, Assignment>();
  const order = [...options].sort(
    (a, b) => a.ways.length - b.ways.length || weight(b.claim) - weight(a.claim),
  );
  for (const { claim, ways: all } of order) {
    const best = all
      .map((way) => ({ way, cost: cost(way) }))
      .sort((a, b) => a.cost[0] - b.cost[0] || a.cost[1] - b.cost[1])[0];
    if (!best) continue;
    for (const place of best.way) load.set(place, (load.get(place) ?? 0) + weight(claim));
    chosen.set(claim, { claim, places: best.way });
  }
  return {
    assignments: claims.flatMap((claim) => chosen.get(claim) ?? []),
    skipped: claims
      .filter((claim) => !chosen.has(claim))
      .map((claim) => ({ claim, reason: lack(claim, places) })),
  };
}
