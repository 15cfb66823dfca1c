/** ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, for `kubectl rollout history` and `undo`. */
import { gr, type Client, type KubeObject } from '../client/types.ts';
import { canonical, isControlledBy, ownedBy, shortHash } from './objects.ts';
import type { PodTemplate } from './pods.ts';

const REVISIONS = gr('controllerrevisions', 'apps');

interface Revision extends KubeObject {
  data: unknown;
  revision: number;
}

/** The label that names the revision of a pod. */
export const REVISION_LABEL = 'controller-revision-hash';

/**
 * The name of the revision of an owner's template, recorded if it is new or no longer the newest; others beyond
 * `limit` that no pod uses are forgotten.
 */
export async function revisionOf(
  client: Client,
  owner: KubeObject,
  template: PodTemplate,
  limit: number,
  used: ReadonlySet<string | undefined>,
): Promise<{ name: string; hash: string; all: ReadonlyMap<string, PodTemplate> }> {
  const { name, namespace = '' } = owner.metadata;
  const data = { spec: { template: { ...template, $patch: 'replace' } } };
  const hash = shortHash(template);
  const mine = (await client.list<Revision>(REVISIONS, { namespace }))
    .filter((revision) => isControlledBy(revision, owner))
    .sort((a, b) => a.revision - b.revision);
  const newest = mine.at(-1)?.revision ?? 0;
  const known = mine.find((revision) => canonical(revision.data) === canonical(data));
  if (!known) {
    await client.create<Revision>(REVISIONS, {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...template.metadata?.labels, [REVISION_LABEL]: hash },
        ownerReferences: [ownedBy(owner)],
      },
      data,
      revision: newest + 1,
    });
  } else if (known.revision !== newest)
    await client.patch(REVISIONS, known.metadata.name, namespace, { revision: newest + 1 });

  const spare = mine.filter(
    (revision) =>
      revision !== known &&
      !used.has(revision.metadata.name) &&
      !used.has(revision.metadata.labels?.[REVISION_LABEL]),
  );
  for (const { metadata } of spare.slice(0, Math.max(0, spare.length - limit)))
    await client.delete(REVISIONS, metadata.name, namespace);
  const all = new Map(mine.map((revision) => [revision.metadata.name, templateIn(revision)]));
  return { name: known?.metadata.name ?? `${name}-${hash}`, hash, all };
}

function templateIn(revision: Revision): PodTemplate {
  const { $patch: _, ...template } = (
    revision.data as { spec: { template: PodTemplate & { $patch: string } } }
  ).spec.template;
  return template;
}
