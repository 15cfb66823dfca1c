/** What the kubelet needs of anything that runs as a container: a process in bubblewrap, or a part of the engine. */
import type { Component } from '../component.ts';
import type { Machine } from './machine.ts';
import type { NetNamespace } from '../linux/netns.ts';
import { ContainerLog } from './log.ts';
import type { Exit } from './container.ts';
import type { Pod } from './pod-types.ts';

export interface Running {
  readonly log: ContainerLog;
  readonly startedAt: Date;
  readonly exited: Promise<Exit>;
  readonly exit: Exit | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Cleans up after the end. */
  remove(): void;
}

/** Where a part of the engine is to work. */
export interface PartContext {
  readonly pod: Pod;
  readonly machine: Machine;
  /** The pod's network: the node's own with hostNetwork. */
  readonly net: NetNamespace;
  readonly podIp: string;
  /** Writes a line into the container's log. */
  readonly log: (line: string) => void;
}

/** Makes the part behind an image for one pod: kube-proxy, coredns, flanneld, calico-node … */
export type PartFactory = (context: PartContext) => Pick<Component, 'start' | 'stop'>;

/** A part of the engine in a container's clothes: it starts and ends with its pod. */
export class PartContainer implements Running {
  readonly log = new ContainerLog();
  readonly startedAt = new Date();
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  readonly #part: Pick<Component, 'start' | 'stop'>;
  readonly #end: (code: number) => void;
  #started: Promise<void>;

  constructor(factory: PartFactory, context: Omit<PartContext, 'log'>) {
    const log = (line: string) => this.log.append('stderr', Buffer.from(`${line}\n`));
    let resolve: (exit: Exit) => void = () => undefined;
    this.exited = new Promise((done) => (resolve = done));
    this.#end = (code) => {
      if (this.exit !== undefined) return;
      this.exit = { code, at: new Date() };
      this.log.end();
      resolve(this.exit);
    };
    this.#part = factory({ ...context, log });
    this.#started = this.#part.start().catch((error: unknown) => {
      log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      this.#end(1);
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.exit !== undefined) return;
    const code = signal === 'SIGKILL' ? 137 : 0;
    void this.#started
      .then(() => this.#part.stop())
      .then(
        () => this.#end(code),
        () => this.#end(1),
      );
  }

  remove(): void {
    // It wrote no files.
  }
}
