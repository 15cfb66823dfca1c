/** Does an address answer an ICMP echo request (RFC 792)? */
import type { Observation } from '../src/model/observation.ts';
import { batch, understand } from './batch.ts';
import type { PodHandle, Stage } from './experiment.ts';

export type Echo = 'reply' | 'no reply';

/** What `ping -c` said: iputils and busybox both end with the count of packets received. */
export function echoOf(output: string): Echo | undefined {
  const received = /(\d+) (?:packets )?received/.exec(output)?.[1];
  return received === undefined ? undefined : Number(received) > 0 ? 'reply' : 'no reply';
}

/** Sends two echo requests and waits 2 s for a reply. */
export async function ping(stage: Stage, from: PodHandle, to: string): Promise<Observation<Echo>> {
  const argv = ['ping', '-c', '2', '-i', '0.3', '-W', '2', to];
  const [piece] = await batch(stage, from, [{ argv }], { each: 5_000 });
  return understand(piece!, ({ output }) => echoOf(output));
}
