/** Events about pods and nodes, as the kubelet records them; the same one again only counts up. */
import { createHash } from 'node:crypto';
import { gr, type Client, type KubeObject } from '../client/types.ts';

export type EventType = 'Normal' | 'Warning';

/** Records an event about an object; `container` narrows it to one container of a pod. */
export type Recorder = (
  about: KubeObject,
  type: EventType,
  reason: string,
  message: string,
  container?: string,
) => void;

/** @param component who tells, e.g. kubelet; `host` the node */
export function recorder(
  client: Client,
  component: string,
  host: string,
  onError: (error: unknown) => void,
): Recorder {
  const counts = new Map<string, { name: string; count: number }>();
  return (about, type, reason, message, container) => {
    const namespace = about.metadata.namespace ?? 'default';
    const fieldPath = container === undefined ? undefined : `spec.containers{${container}}`;
    const key = [about.metadata.uid, fieldPath, type, reason, message].join('\n');
    const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
    const known = counts.get(key);
    if (known !== undefined) {
      known.count += 1;
      client
        .patch(gr('events'), known.name, namespace, { count: known.count, lastTimestamp: now })
        .catch(() => counts.delete(key)); // It has been removed: the next one is new.
      return;
    }
    const stamp = createHash('sha1').update(`${key}${process.hrtime.bigint()}`).digest('hex').slice(0, 16);
    const name = `${about.metadata.name}.${stamp}`;
    if (counts.size > 2000) counts.clear();
    counts.set(key, { name, count: 1 });
    client
      .create(gr('events'), {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: about.apiVersion,
          kind: about.kind,
          name: about.metadata.name,
          namespace: about.metadata.namespace,
          uid: about.metadata.uid,
          resourceVersion: about.metadata.resourceVersion,
          ...(fieldPath === undefined ? {} : { fieldPath }),
        },
        type,
        reason,
        message,
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
        eventTime: null,
        source: { component, host },
        reportingComponent: component,
        reportingInstance: host,
      })
      .catch(onError);
  };
}
