/** The parts of Gateway API v1 that the controller reads (gateway-api.sigs.k8s.io: API specification). */
import type { KubeObject } from '../client/types.ts';

export const GROUP = 'gateway.networking.k8s.io';
/** GatewayClasses with this controllerName are ours. */
export const CONTROLLER = 'podlab.dev/gateway-controller';

export interface Listener {
  name: string;
  hostname?: string;
  port: number;
  protocol: string;
  tls?: {
    mode?: string;
    certificateRefs?: { kind?: string; group?: string; name: string; namespace?: string }[];
  };
  allowedRoutes?: {
    namespaces?: { from?: 'Same' | 'All' | 'Selector'; selector?: { matchLabels?: Record<string, string> } };
    kinds?: { group?: string; kind: string }[];
  };
}

export interface ParentRef {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  sectionName?: string;
  port?: number;
}

export interface BackendRef {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  port?: number;
  weight?: number;
}

export interface Match {
  path?: { type?: 'Exact' | 'PathPrefix' | 'RegularExpression'; value?: string };
  headers?: { type?: 'Exact' | 'RegularExpression'; name: string; value: string }[];
  queryParams?: { type?: 'Exact' | 'RegularExpression'; name: string; value: string }[];
  method?: string;
}

export interface HeaderChange {
  set?: { name: string; value: string }[];
  add?: { name: string; value: string }[];
  remove?: string[];
}

export interface PathChange {
  type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  replaceFullPath?: string;
  replacePrefixMatch?: string;
}

export interface Filter {
  type: string;
  requestHeaderModifier?: HeaderChange;
  responseHeaderModifier?: HeaderChange;
  requestRedirect?: {
    scheme?: string;
    hostname?: string;
    port?: number;
    path?: PathChange;
    statusCode?: number;
  };
  urlRewrite?: { hostname?: string; path?: PathChange };
}

export interface Rule {
  matches?: Match[];
  filters?: Filter[];
  backendRefs?: BackendRef[];
}

export type Route = KubeObject<{ parentRefs?: ParentRef[]; hostnames?: string[]; rules?: Rule[] }>;
export type Gateway = KubeObject<{ gatewayClassName: string; listeners: Listener[] }>;

/** Everything that the controller watches. */
export interface World {
  readonly classes: readonly KubeObject[];
  readonly gateways: readonly Gateway[];
  readonly routes: readonly Route[];
  readonly grants: readonly KubeObject[];
  readonly namespaces: readonly KubeObject[];
  readonly services: readonly KubeObject[];
  readonly slices: readonly KubeObject[];
  readonly secrets: readonly KubeObject[];
}

/** A condition without its time; the writer keeps the old time of one that did not change. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

export const condition = (type: string, holds: boolean, reason: string, message = ''): Condition => ({
  type,
  status: holds ? 'True' : 'False',
  reason,
  message,
});
