/** What all controllers are: watches that put keys into a queue, and a function that works a key off. */
import type { Change, Client, GroupResource, Informer, KubeObject, ListOptions } from '../client/types.ts';
import type { Component } from '../component.ts';
import { createRecorder, type Recorder } from './events.ts';
import { WorkQueue } from './queue.ts';

/** What a controller is handed when it starts. */
export interface Work {
  readonly client: Client;
  readonly queue: Pick<WorkQueue, 'add' | 'addAfter'>;
  readonly events: Recorder;
  /** Follows a resource for as long as the controller runs. */
  watch<T extends KubeObject>(
    of: GroupResource,
    listener: (change: Change<T>) => void,
    options?: ListOptions,
  ): Informer<T>;
  /** Calls back every so often, in ms, while the controller runs. */
  every(ms: number, tick: () => void): void;
}

export interface ControllerOptions {
  readonly client: Client;
  /** A line of the controller's log. */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * Makes a controller.
 * @param name upstream's, e.g. `endpointslice-controller`
 * @param source its name in Events, e.g. `endpoint-slice-controller`
 * @param setUp called at each start: sets up watches and gives the function that works a key off
 */
export function controller(
  options: ControllerOptions,
  name: string,
  source: string,
  setUp: (work: Work) => (key: string) => Promise<void>,
): Component {
  const { client, log = () => undefined } = options;
  let running: { queue: WorkQueue; stops: (() => void)[] } | undefined;
  return {
    name,
    node: undefined,
    get running() {
      return running !== undefined;
    },
    start() {
      if (running) return Promise.resolve();
      const stops: (() => void)[] = [];
      // Nothing is worked off before the next turn of the event loop, when `reconcile` is there.
      const queue = new WorkQueue(
        (key) => reconcile(key),
        (key, error) => log(`${name}: ${key}: ${error instanceof Error ? error.message : String(error)}`),
      );
      running = { queue, stops };
      const reconcile = setUp({
        client,
        queue,
        events: createRecorder(client, source),
        watch: (of, listener, watchOptions) => {
          const informer = client.informer(of, watchOptions) as Informer<never>;
          stops.push(() => informer.stop());
          informer.onChange(listener as (change: Change) => void);
          return informer;
        },
        every: (ms, tick) => {
          const timer = setInterval(tick, ms);
          timer.unref();
          stops.push(() => clearInterval(timer));
        },
      });
      return Promise.resolve();
    },
    async stop() {
      const was = running;
      running = undefined;
      was?.stops.forEach((stop) => stop());
      await was?.queue.stop();
    },
  };
}

/** `namespace/name`, or `name` in cluster scope. */
export const keyOf = ({ metadata: { namespace, name } }: KubeObject) =>
  namespace === undefined ? name : `${namespace}/${name}`;

/** The parts of a key. */
export function splitKey(key: string): { namespace: string; name: string } {
  const at = key.indexOf('/');
  return { namespace: at < 0 ? '' : key.slice(0, at), name: key.slice(at + 1) };
}
