/** Which columns `kubectl get` shows for a resource. */
import { has, isObject, type Json, type JsonObject } from '../json.ts';
import type { Served } from '../resources/catalog.ts';
import { keyOf, type Column } from '../resources/resource.ts';
import { AGE, NAME, since } from './cells.ts';
import * as network from './network.ts';
import { OTHERS } from './others.ts';
import { POD } from './pods.ts';
import * as workloads from './workloads.ts';

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  '/pods': POD,
  '/services': network.SERVICE,
  '/endpoints': network.ENDPOINTS,
  '/nodes': network.NODE,
  '/replicationcontrollers': workloads.REPLICATION_CONTROLLER,
  'apps/deployments': workloads.DEPLOYMENT,
  'apps/replicasets': workloads.REPLICA_SET,
  'apps/statefulsets': workloads.STATEFUL_SET,
  'apps/daemonsets': workloads.DAEMON_SET,
  'batch/jobs': workloads.JOB,
  'batch/cronjobs': workloads.CRON_JOB,
  'autoscaling/horizontalpodautoscalers': workloads.HPA,
  'policy/poddisruptionbudgets': workloads.PDB,
  'discovery.k8s.io/endpointslices': network.ENDPOINT_SLICE,
  'networking.k8s.io/ingresses': network.INGRESS,
  'networking.k8s.io/ingressclasses': network.INGRESS_CLASS,
  'networking.k8s.io/networkpolicies': network.NETWORK_POLICY,
  ...OTHERS,
};

const PLAIN: readonly Column[] = [NAME, AGE];
const custom = new WeakMap<object, readonly Column[]>();

export function columnsOf(served: Served): readonly Column[] {
  const version: JsonObject | undefined = served.resource.custom?.versions.get(served.version);
  if (!version) return COLUMNS[keyOf(served.resource)] ?? PLAIN;
  let columns = custom.get(version);
  if (!columns) custom.set(version, (columns = customColumns(version['additionalPrinterColumns'])));
  return columns;
}

/** additionalPrinterColumns of a CustomResourceDefinition; a name comes first, an age last when none is named. */
function customColumns(list: unknown): readonly Column[] {
  if (!Array.isArray(list) || list.length === 0) return PLAIN;
  return [
    NAME,
    ...(list as JsonObject[]).map((one): Column => {
      const { name, type, format, description, priority, jsonPath } = one;
      return {
        name,
        type: type === 'date' ? 'string' : type,
        format,
        description,
        priority: priority > 0 ? 1 : 0,
        cell: (object, now) => {
          const values = jsonPathValues(object, String(jsonPath));
          const [first] = values;
          if (first === undefined || first === null) return type === 'string' || type === 'date' ? '' : null;
          if (type === 'date') return since(String(first), now);
          if (type === 'string')
            return values
              .map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)))
              .join(',');
          return first;
        },
      };
    }),
  ];
}

/** The simple JSON paths of printer columns: fields, indexes, wildcards and `[?(@.type=="Ready")]`. */
export function jsonPathValues(object: Json, path: string): Json[] {
  const steps =
    path.match(/\.?(?:\\.|[^.[\]\\])+|\[\?\(@\.[\w.]+\s*==\s*["'][^"']*["']\)\]|\[[^\]]*\]/g) ?? [];
  let values: Json[] = [object];
  for (const step of steps) {
    const filter = /^\[\?\(@\.([\w.]+)\s*==\s*["']([^"']*)["']\)\]$/.exec(step);
    values = values.flatMap((value: Json): Json[] => {
      if (value === undefined || value === null) return [];
      if (filter)
        return Array.isArray(value)
          ? value.filter((item) => String(jsonPathValues(item, `.${filter[1]}`)[0]) === filter[2])
          : [];
      if (step === '[*]') return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
      const index = /^\[(-?\d+)\]$/.exec(step);
      if (index) return Array.isArray(value) ? [value.at(Number(index[1]))] : [];
      const key = step.startsWith('[')
        ? step.slice(1, -1).replace(/^['"]|['"]$/g, '')
        : step.replace(/^\./, '').replace(/\\(.)/g, '$1');
      return isObject(value) && has(value, key) ? [value[key]] : [];
    });
  }
  return values.filter((value) => value !== undefined);
}
