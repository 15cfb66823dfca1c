/** Requests told apart by the port that they were sent from, so that a capture can be asked about each. */
import { derive, together, type Observation } from '../src/model/observation.ts';
import { capture, type Capture, type Captured } from './capture.ts';
import { httpAll } from './http.ts';
import type { PodHandle, Stage } from './experiment.ts';

/** One request: its source port, and the pod that answered it ('' when none did). */
export interface Sent {
  readonly port: number;
  readonly by: string;
}

/** Sends `count` requests at once to netexec's `/hostname`. */
export async function send(
  stage: Stage,
  from: PodHandle,
  to: string,
  count: number,
): Promise<Observation<Sent[]>> {
  const seen = await httpAll(
    stage,
    Array.from({ length: count }, () => ({ from, url: `http://${to}:80/hostname` })),
  );
  return derive(together(seen), (answers) =>
    answers.map(({ status, body, local }) => ({
      port: Number(/:(\d+)$/.exec(local ?? '')?.[1] ?? 0),
      by: status === 200 ? body.trim() : '',
    })),
  );
}

/** How many of the requests that `by` answered have a packet in the capture. */
export function seenOf(
  sent: Observation<Sent[]>,
  captured: Observation<Captured>,
  client: string,
  by: string,
): Observation<string> {
  return derive(together<Sent[] | Captured>([sent, captured]), ([requests, capture]) => {
    const ports = (requests as Sent[]).filter((one) => one.by === by).map((one) => one.port);
    const { packets } = capture as Captured;
    const found = ports.filter((port) =>
      packets.some(
        (one) => (one.src === client && one.sport === port) || (one.dst === client && one.dport === port),
      ),
    );
    return `${found.length} of ${ports.length}`;
  });
}

/** Reads `n of m`. */
export const counts = (said: string): { seen: number; all: number } => {
  const [seen = NaN, all = NaN] = said.split(' of ').map(Number);
  return { seen, all };
};

/** Who answered how often: `b 9, c 11`; `nobody` for those without an answer. */
export const tally = (sent: Observation<Sent[]>): Observation<string> =>
  derive(sent, (requests) => {
    const names = [...new Set(requests.map((one) => one.by))].sort();
    return names
      .map((name) => `${name || 'nobody'} ${requests.filter((one) => one.by === name).length}`)
      .join(', ');
  });

/** A capture of what a client says to port 80 anywhere. */
export const listenFor = (
  stage: Stage,
  client: PodHandle,
  node: string,
  netns?: Observation<string>,
): Promise<Capture> =>
  capture(stage, {
    node,
    device: 'any',
    filter: `host ${client.ip} and tcp port 80`,
    ...(netns ? { netns } : {}),
  });
