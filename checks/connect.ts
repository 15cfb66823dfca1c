/** Can it be reached? TCP and UDP, asked by agnhost's `connect` and answered in its words. */
import { derive, together, type Observation } from '../src/model/observation.ts';
import type { Outcome } from '../src/model/outcome.ts';
import { is, that, type Prediction } from '../src/model/row.ts';
import { text } from '../src/model/text.ts';
import { batch, byPod, understand, type Piece } from './batch.ts';
import type { PodHandle, Stage } from './experiment.ts';

/** Time limit of one attempt, in seconds. A dropped SYN is sent again after 1 s (RFC 6298 section 2.1), so 2 s hold two. */
const LIMIT = 2;

export interface Question {
  readonly from: PodHandle;
  /** An address or a name. */
  readonly to: string;
  readonly port: number;
  /** TCP when not said. CONNECTED by UDP means that an answer came. */
  readonly protocol?: 'TCP' | 'UDP';
}

/** Predicts that it is reached. */
export const reached: Prediction<Outcome> = is<Outcome>('CONNECTED');

/** Outcomes that say that the network, and not the question, kept it out. A name that is not found is no denial. */
const DENIALS: readonly Outcome[] = ['TIMEOUT', 'REFUSED', 'UNREACHABLE'];

/** Predicts that it is not reached. */
export const blocked: Prediction<Outcome> = that(
  text('blocked (TIMEOUT, REFUSED or UNREACHABLE)', '不通（TIMEOUT、REFUSED 或 UNREACHABLE）'),
  (outcome) => DENIALS.includes(outcome),
);

/** Whether an outcome is a denial. */
export const isBlocked = (outcome: Outcome): boolean => blocked.holds(outcome);

/**
 * What agnhost's `connect` said. It is silent when connected; otherwise its first word tells
 * (kubernetes/kubernetes test/images/agnhost/connect: TIMEOUT, REFUSED, DNS, OTHER, UNKNOWN).
 * @returns undefined for what is none of the five outcomes
 */
export function outcomeOf({ code, output }: Piece): Outcome | undefined {
  const said = output.trim();
  if (code === 0) return said === '' ? 'CONNECTED' : undefined;
  if (/^TIMEOUT\b/.test(said)) return 'TIMEOUT';
  if (/^REFUSED\b/.test(said)) return 'REFUSED';
  if (/^DNS:/.test(said)) return 'DNS';
  // EHOSTUNREACH and ENETUNREACH, as Go prints them; by UDP they come under UNKNOWN.
  if (/^(OTHER|UNKNOWN): .*(no route to host|network is unreachable|host is unreachable)/i.test(said))
    return 'UNREACHABLE';
  return undefined;
}

const target = (to: string, port: number): string => (to.includes(':') ? `[${to}]:${port}` : `${to}:${port}`);

/** The words of one attempt. */
export const connectArgv = ({ to, port, protocol = 'TCP' }: Omit<Question, 'from'>): string[] => [
  '/agnhost',
  'connect',
  `--timeout=${LIMIT}s`,
  `--protocol=${protocol.toLowerCase()}`,
  target(to, port),
];

/** Asks everything at once, one exec in each pod that asks. Answers come in the order of the questions. */
export function connectAll(stage: Stage, questions: readonly Question[]): Promise<Observation<Outcome>[]> {
  return byPod(questions, async (pod, group) => {
    const commands = group.map((question) => ({ argv: connectArgv(question) }));
    const pieces = await batch(stage, pod, commands, { each: LIMIT * 1000 });
    return pieces.map((piece) => understand(piece, outcomeOf));
  });
}

/** Asks once. */
export async function connect(
  stage: Stage,
  from: PodHandle,
  to: string,
  port: number,
  protocol: 'TCP' | 'UDP' = 'TCP',
): Promise<Observation<Outcome>> {
  return (await connectAll(stage, [{ from, to, port, protocol }]))[0]!;
}

/** A question with the answer that the network gives once it has settled. */
export interface Expected extends Question {
  readonly open: boolean;
}

/**
 * Asks everything until all answers are the expected ones, at most `within` ms, and returns the last look by name.
 * The last look counts, whatever it says: it is what the rows are made of.
 */
export async function settle<Name extends string>(
  stage: Stage,
  what: { readonly en: string; readonly zh: string },
  questions: Readonly<Record<Name, Expected>>,
  options: { within?: number } = {},
): Promise<Record<Name, Observation<Outcome>>> {
  const names = Object.keys(questions) as Name[];
  const list = names.map((name) => questions[name]);
  let last: Observation<Outcome>[] = [];
  await stage.until(
    what,
    async () => together((last = await connectAll(stage, list))),
    (outcomes) => outcomes.every((one, index) => (list[index]!.open ? one === 'CONNECTED' : isBlocked(one))),
    options,
  );
  return Object.fromEntries(names.map((name, index) => [name, last[index]!])) as Record<
    Name,
    Observation<Outcome>
  >;
}

/** Several outcomes as one, for a row that speaks of all: the outcome that they share, or each of them. */
export function alike(seen: readonly Observation<Outcome>[]): Observation<string> {
  return derive(together(seen), (outcomes) => {
    const kinds = [...new Set(outcomes)];
    return kinds.length === 1 ? `${kinds[0]} x${outcomes.length}` : outcomes.join(' ');
  });
}
