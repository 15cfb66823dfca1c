/** Rows of the remaining kinds. */
import type { Json } from '../json.ts';
import type { Column } from '../resources/resource.ts';
import { AGE, count, NAME, since, text, wide } from './cells.ts';

const size = (object: Json): number => Object.keys(object ?? {}).length;

/** How often, when there was more than one: `5m (x3 over 10m)`. */
function lastSeen(event: Json, now: number): string {
  const first = event.firstTimestamp ?? event.eventTime;
  const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? first;
  const times = event.series?.count ?? event.count ?? 1;
  return times > 1 ? `${since(last, now)} (x${times} over ${since(first, now)})` : since(last, now);
}

const eventObject = (event: Json): string => {
  const { kind = '', name = '' } = event.involvedObject ?? {};
  return kind ? `${String(kind).toLowerCase()}/${name}` : name;
};

export const EVENT: readonly Column[] = [
  text('Last Seen', lastSeen),
  text('Type', (event) => event.type),
  text('Reason', (event) => event.reason),
  text('Object', eventObject),
  wide('Subobject', (event) => event.involvedObject?.fieldPath ?? ''),
  wide('Source', (event) =>
    [event.source?.component ?? event.reportingComponent, event.source?.host].filter(Boolean).join(', '),
  ),
  text('Message', (event) => String(event.message ?? '').trim()),
  wide('First Seen', (event, now) => since(event.firstTimestamp ?? event.eventTime, now)),
  wide('Count', (event) => String(event.series?.count ?? event.count ?? 1)),
  { ...NAME, priority: 1 },
];

const MODES: Record<string, string> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
const modes = (list: string[] | undefined): string =>
  (list ?? []).map((mode) => MODES[mode] ?? mode).join(',');

const quota = (hard: Json, used: Json): string =>
  Object.keys(hard ?? {})
    .sort()
    .map((name) => `${name}: ${used?.[name] ?? 0}/${hard[name]}`)
    .join(', ');

const subjects = (object: Json, kind: string): string =>
  (object.subjects ?? [])
    .filter((one: Json) => one.kind === kind)
    .map((one: Json) => (one.namespace ? `${one.namespace}/${one.name}` : one.name))
    .join(', ');

const BINDING: readonly Column[] = [
  NAME,
  text('Role', ({ roleRef }) => `${roleRef?.kind}/${roleRef?.name}`),
  AGE,
  wide('Users', (object) => subjects(object, 'User')),
  wide('Groups', (object) => subjects(object, 'Group')),
  wide('ServiceAccounts', (object) => subjects(object, 'ServiceAccount')),
];

const csrCondition = ({ status }: Json): string => {
  const types: string[] = (status?.conditions ?? []).map((one: Json) => one.type);
  if (types.length === 0) return 'Pending';
  return [...types.sort(), ...(status?.certificate ? ['Issued'] : [])].join(',');
};

const CREATED = text('Created At', (object) => object.metadata.creationTimestamp);

/** By store key. */
export const OTHERS: Readonly<Record<string, readonly Column[]>> = {
  '/namespaces': [NAME, text('Status', ({ status }) => status?.phase), AGE],
  '/configmaps': [NAME, count('Data', (object) => size(object.data) + size(object.binaryData)), AGE],
  '/secrets': [
    NAME,
    text('Type', (object) => object.type),
    count('Data', (object) => size(object.data)),
    AGE,
  ],
  '/serviceaccounts': [NAME, count('Secrets', (object) => object.secrets?.length ?? 0), AGE],
  '/events': EVENT,
  '/persistentvolumes': [
    NAME,
    text('Capacity', ({ spec }) => spec?.capacity?.storage ?? ''),
    text('Access Modes', ({ spec }) => modes(spec?.accessModes)),
    text('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy),
    text('Status', ({ status, metadata }) => (metadata.deletionTimestamp ? 'Terminating' : status?.phase)),
    text('Claim', ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '')),
    text('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
    text('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
    text('Reason', ({ status }) => status?.reason ?? ''),
    AGE,
    wide('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
  ],
  '/persistentvolumeclaims': [
    NAME,
    text('Status', ({ status, metadata }) => (metadata.deletionTimestamp ? 'Terminating' : status?.phase)),
    text('Volume', ({ spec }) => spec?.volumeName ?? ''),
    text('Capacity', ({ status }) => status?.capacity?.storage ?? ''),
    text('Access Modes', ({ status }) => modes(status?.accessModes)),
    text('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
    text('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
    AGE,
    wide('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
  ],
  '/resourcequotas': [
    NAME,
    text('Request', ({ status }) => quota(status?.hard, status?.used)),
    text('Limit', () => ''),
    AGE,
  ],
  '/limitranges': [NAME, CREATED],
  '/podtemplates': [NAME, AGE],
  '/componentstatuses': [
    NAME,
    text('Status', () => 'Healthy'),
    text('Message', () => 'ok'),
    text('Error', () => ''),
  ],
  'apps/controllerrevisions': [
    NAME,
    text('Controller', (object) => {
      const owner = object.metadata.ownerReferences?.find((one: Json) => one.controller);
      if (!owner) return '<none>';
      const group = String(owner.apiVersion).includes('/')
        ? `.${String(owner.apiVersion).split('/')[0]}`
        : '';
      return `${String(owner.kind).toLowerCase()}${group}/${owner.name}`;
    }),
    count('Revision', (object) => object.revision),
    AGE,
  ],
  'networking.k8s.io/ipaddresses': [
    NAME,
    text('ParentRef', ({ spec }) => {
      const { group, resource, namespace, name } = spec?.parentRef ?? {};
      return `${group ? `${resource}.${group}` : resource}/${namespace}/${name}`;
    }),
    AGE,
  ],
  'networking.k8s.io/servicecidrs': [NAME, text('CIDRs', ({ spec }) => (spec?.cidrs ?? []).join(',')), AGE],
  'rbac.authorization.k8s.io/roles': [NAME, CREATED],
  'rbac.authorization.k8s.io/clusterroles': [NAME, CREATED],
  'rbac.authorization.k8s.io/rolebindings': BINDING,
  'rbac.authorization.k8s.io/clusterrolebindings': BINDING,
  'storage.k8s.io/storageclasses': [
    {
      ...NAME,
      cell: (object) =>
        object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
          ? `${object.metadata.name} (default)`
          : object.metadata.name,
    },
    text('Provisioner', (object) => object.provisioner),
    text('ReclaimPolicy', (object) => object.reclaimPolicy),
    text('VolumeBindingMode', (object) => object.volumeBindingMode),
    text('AllowVolumeExpansion', (object) => String(object.allowVolumeExpansion ?? false)),
    AGE,
  ],
  'scheduling.k8s.io/priorityclasses': [
    NAME,
    count('Value', (object) => object.value),
    text('Global-Default', (object) => String(object.globalDefault ?? false)),
    AGE,
    text('PreemptionPolicy', (object) => object.preemptionPolicy),
  ],
  'coordination.k8s.io/leases': [NAME, text('Holder', ({ spec }) => spec?.holderIdentity ?? ''), AGE],
  'node.k8s.io/runtimeclasses': [NAME, text('Handler', (object) => object.handler), AGE],
  'certificates.k8s.io/certificatesigningrequests': [
    NAME,
    AGE,
    text('SignerName', ({ spec }) => spec?.signerName),
    text('Requestor', ({ spec }) => spec?.username),
    text('RequestedDuration', ({ spec }) =>
      spec?.expirationSeconds ? `${spec.expirationSeconds}s` : '<none>',
    ),
    text('Condition', csrCondition),
  ],
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': [
    NAME,
    count('Webhooks', (object) => object.webhooks?.length ?? 0),
    AGE,
  ],
  'admissionregistration.k8s.io/validatingwebhookconfigurations': [
    NAME,
    count('Webhooks', (object) => object.webhooks?.length ?? 0),
    AGE,
  ],
  'apiextensions.k8s.io/customresourcedefinitions': [NAME, CREATED],
  'apiregistration.k8s.io/apiservices': [
    NAME,
    text('Service', ({ spec }) =>
      spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local',
    ),
    text('Available', ({ status }) => {
      const available = (status?.conditions ?? []).find((one: Json) => one.type === 'Available');
      return available ? (available.status === 'True' ? 'True' : `False (${available.reason})`) : 'Unknown';
    }),
    AGE,
  ],
};
