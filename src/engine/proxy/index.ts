/**
 * kube-proxy: Services as rules in a node's kernel, in iptables or nftables mode.
 *
 * `createKubeProxy({client, node, nodeIP, mode, clusterCIDR, serviceCIDR, exec, listen})` is a Component.
 * Everything that touches a kernel goes through `exec` (a program in the node's network namespace) and
 * `listen` (a server in it), so nothing of the host's is ever changed.
 */
export type { NodeExec } from './backend.ts';
export type { Listen } from './health.ts';
export { createKubeProxy, type KubeProxy, type KubeProxyOptions, type ProxyMode } from './kube-proxy.ts';
export { ensureKubeletChains } from './kubelet-chains.ts';
