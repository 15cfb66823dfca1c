/** Events: what happened to an object, as `kubectl describe` shows it. The same again counts up instead of filling the list. */
import { gr, type Client, type KubeObject } from '../client/types.ts';

export type Recorder = (
  about: KubeObject,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
) => void;

const EVENTS = gr('events');

/** As many different events are remembered for counting. */
const REMEMBERED = 1_000;

/**
 * A recorder of one component. Recording never fails and nobody waits for it: an event that cannot be written is lost, as upstream.
 * @param component e.g. `default-scheduler`
 * @param host the node, for components that run on one
 */
export function createRecorder(client: Client, component: string, host?: string): Recorder {
  const known = new Map<string, { name: string; namespace: string; count: number }>();
  return (about, type, reason, message) => {
    const { name, namespace = 'default', uid, resourceVersion } = about.metadata;
    const key = [about.kind, namespace, name, uid, type, reason, message].join('\n');
    const now = new Date();
    const time = `${now.toISOString().slice(0, 19)}Z`;
    const seen = known.get(key);
    if (seen) {
      seen.count++;
      client
        .patch(EVENTS, seen.name, seen.namespace, { count: seen.count, lastTimestamp: time })
        .catch(() => known.delete(key));
      return;
    }
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${stamp(now)}`, namespace },
      involvedObject: {
        kind: about.kind,
        ...(about.metadata.namespace === undefined ? {} : { namespace }),
        name,
        uid,
        apiVersion: about.apiVersion,
        resourceVersion,
      },
      reason,
      message,
      source: host === undefined ? { component } : { component, host },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      eventTime: null,
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
    if (known.size >= REMEMBERED) known.clear();
    known.set(key, { name: event.metadata.name, namespace, count: 1 });
    client.create(EVENTS, event).catch(() => known.delete(key));
  };
}

let last = 0;

/** Hexadecimal of the time in ns, as upstream names events; never the same twice. */
function stamp(now: Date): string {
  last = Math.max(last + 1, now.getTime() * 1_000);
  return (BigInt(last) * 1_000n).toString(16);
}
