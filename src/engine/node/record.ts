/** What the kubelet remembers of one container of a pod, and how it tells it (API reference, ContainerStatus v1). */
import { createHash } from 'node:crypto';
import { fullName } from '../images/image.ts';
import type { ContainerDef } from './pod-types.ts';
import type { Running } from './running.ts';

export type ContainerKind = 'init' | 'sidecar' | 'main' | 'ephemeral';

export interface Terminated {
  exitCode: number;
  reason: string;
  message?: string;
  signal?: number;
  startedAt: string | null;
  finishedAt: string | null;
  containerID?: string;
}

export type ContainerState =
  | { waiting: { reason: string; message?: string } }
  | { running: { startedAt: string } }
  | { terminated: Terminated };

/** Times of the API have no fractions. */
export const apiTime = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');

/** First wait before a restart, and the longest, in milliseconds (Kubernetes: Pod Lifecycle, CrashLoopBackOff). */
const FIRST_BACKOFF = 10_000;
const LONGEST_BACKOFF = 300_000;
/** A container that ran that long starts over with the first wait. */
const BACKOFF_RESET = 600_000;

export class ContainerRecord {
  def: ContainerDef;
  readonly kind: ContainerKind;
  running: Running | undefined;
  /** The instance before, whose log is `--previous`. */
  previous: Running | undefined;
  id: string | undefined;
  restartCount = 0;
  state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  lastState: { terminated: Terminated } | undefined;
  /** Passed its startup probe, or has none. */
  started = false;
  ready = false;
  /** Earliest next start, by Date.now(). */
  notBefore = 0;
  /** Why the kubelet ended it: a failed probe restarts it whatever its exit code. */
  killed: string | undefined;
  stopProbes: (() => void)[] = [];
  #wait = 0;

  constructor(def: ContainerDef, kind: ContainerKind) {
    this.def = def;
    this.kind = kind;
    if (kind === 'init') this.state = { waiting: { reason: 'PodInitializing' } };
  }

  get isRunning(): boolean {
    return 'running' in this.state;
  }

  get terminated(): Terminated | undefined {
    return 'terminated' in this.state ? this.state.terminated : undefined;
  }

  /** Sets the wait before the next start: none after the first end, then 10 s, doubled up to 5 minutes. */
  backOff(ranMs: number): void {
    if (ranMs >= BACKOFF_RESET) this.#wait = 0;
    this.notBefore = Date.now() + this.#wait;
    this.#wait = this.#wait === 0 ? FIRST_BACKOFF : Math.min(this.#wait * 2, LONGEST_BACKOFF);
  }

  /** The wait that was set, as the kubelet writes it: `10s`, `2m40s`. */
  get backOffText(): string {
    const seconds = Math.round((this.#wait <= FIRST_BACKOFF ? FIRST_BACKOFF : this.#wait / 2) / 1000);
    return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  }

  status(): object {
    const image = this.def.image ?? '';
    return {
      name: this.def.name,
      state: this.state,
      lastState: this.lastState ?? {},
      ready: this.ready,
      restartCount: this.restartCount,
      image: fullName(image),
      imageID: this.id === undefined ? '' : imageId(image),
      ...(this.id === undefined ? {} : { containerID: `containerd://${this.id}` }),
      started: this.started,
      ...(this.def.resources?.requests || this.def.resources?.limits
        ? { resources: this.def.resources }
        : {}),
    };
  }
}

const imageId = (image: string): string =>
  `${fullName(image).replace(/:[^:/]*$/, '')}@sha256:${createHash('sha256').update(fullName(image)).digest('hex')}`;
