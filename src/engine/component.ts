/** A part of the cluster that can be stopped and started on its own, because labs take them away one at a time. */
export interface Component {
  /** Upstream's name: kube-proxy, coredns, kubelet, kube-scheduler, endpointslice-controller, calico-node, flanneld ... */
  readonly name: string;
  /** The node it runs on; undefined for one of the control plane. */
  readonly node: string | undefined;
  start(): Promise<void>;
  /** Stops working and leaves the kernel's state as it is, as the death of the real one would. */
  stop(): Promise<void>;
  /** Whether it runs now. */
  readonly running: boolean;
}
