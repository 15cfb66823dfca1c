/** NetworkPolicies (networking.k8s.io/v1) that experiments use. */
import type { KubeObject } from '../src/kube/kube.ts';

export interface PolicyWish {
  /** Which pods it isolates; all of the namespace when empty. */
  readonly selects?: Readonly<Record<string, string>>;
  /** Ingress rules; isolates for ingress when given, so `[]` admits nobody. */
  readonly ingress?: readonly object[];
  readonly egress?: readonly object[];
  readonly namespace?: string;
}

export const policy = (name: string, wish: PolicyWish): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, ...(wish.namespace === undefined ? {} : { namespace: wish.namespace }) },
  spec: {
    podSelector: wish.selects ? { matchLabels: wish.selects } : {},
    policyTypes: [...(wish.ingress ? ['Ingress'] : []), ...(wish.egress ? ['Egress'] : [])],
    ...(wish.ingress ? { ingress: wish.ingress } : {}),
    ...(wish.egress ? { egress: wish.egress } : {}),
  },
});

/** A peer: pods of the policy's own namespace with these labels. */
export const pods = (labels: Readonly<Record<string, string>>) => ({ podSelector: { matchLabels: labels } });

/** The article's policy with its apiVersion corrected: only app=frontend, only TCP 80, to app=nginx. */
export const allowNginx = (): KubeObject =>
  policy('allow-nginx', {
    selects: { app: 'nginx' },
    ingress: [{ from: [pods({ app: 'frontend' })], ports: [{ port: 80, protocol: 'TCP' }] }],
  });
