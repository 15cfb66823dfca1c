/** Names and tags of the set's images: those that manifests and kubeadm ask for, so that nothing has to be pulled. */
import type { Versions } from '../versions.ts';

export interface ImageNames {
  readonly node: string;
  readonly kubeApiserver: string;
  readonly kubeControllerManager: string;
  readonly kubeScheduler: string;
  readonly kubeProxy: string;
  readonly etcd: string;
  readonly coredns: string;
  readonly pause: string;
  readonly agnhost: string;
  readonly tools: string;
  readonly nginx: string;
  readonly busybox: string;
  readonly flannel: string;
  readonly flannelCni: string;
  readonly calicoNode: string;
  readonly calicoCni: string;
  readonly calicoControllers: string;
}

/** Where kubeadm looks for its images (its own default). */
export const KUBEADM_REPOSITORY = 'registry.k8s.io';

/** etcd's tag as kubeadm writes it: without the v, with a build number. */
export const etcdTag = (v: Versions): string => `${v.etcd.slice(1)}-0`;

/**
 * The names of the set's images. The node image's carries the set's key, so that an engine that still holds the node image
 * of another set is not taken for having this one.
 */
export function imageNames(v: Versions, key: string): ImageNames {
  const kube = (name: string) => `${KUBEADM_REPOSITORY}/${name}:${v.kubernetes}`;
  return {
    node: `podlab/node:${v.kubernetes}-${key.slice(0, 8)}`,
    kubeApiserver: kube('kube-apiserver'),
    kubeControllerManager: kube('kube-controller-manager'),
    kubeScheduler: kube('kube-scheduler'),
    kubeProxy: kube('kube-proxy'),
    etcd: `${KUBEADM_REPOSITORY}/etcd:${etcdTag(v)}`,
    coredns: `${KUBEADM_REPOSITORY}/coredns/coredns:${v.coredns}`,
    pause: `${KUBEADM_REPOSITORY}/pause:${v.pause}`,
    agnhost: `${KUBEADM_REPOSITORY}/e2e-test-images/agnhost:${v.agnhost}`,
    tools: 'docker.io/podlab/tools:v1',
    nginx: `docker.io/library/nginx:${v.nginx}`,
    busybox: `docker.io/library/busybox:${v.busybox}`,
    flannel: `docker.io/flannel/flannel:${v.flannel}`,
    flannelCni: `docker.io/flannel/flannel-cni-plugin:${v.flannelCni}`,
    calicoNode: `docker.io/calico/node:${v.calico}`,
    calicoCni: `docker.io/calico/cni:${v.calico}`,
    calicoControllers: `docker.io/calico/kube-controllers:${v.calico}`,
  };
}
