/**
 * Calico's CNI plugin: no bridge, each pod is a host of its own (/32) behind a veth, the node answers ARP for
 * everything (proxy_arp) and has a route per pod (docs.tigera.io, "Calico over Ethernet/IP fabrics" and FAQ
 * "Why does my container have a route to 169.254.1.1?").
 */
import { type InProcessPlugin } from '../node/cni.ts';
import { ipBatch } from '../node/machine.ts';
import type { AddressBook } from './ipam.ts';
import { vethName } from './names.ts';

const GATEWAY = '169.254.1.1';
const HOST_MAC = 'ee:ee:ee:ee:ee:ee';

/** What the policy agent is told: a pod has no packets before its rules are there. */
export interface EndpointListener {
  addEndpoint(of: { namespace: string; name: string; ip: string; container: string }): Promise<void>;
  removeEndpoint(of: { namespace: string; name: string; container: string }): void;
}

export const calicoPlugin =
  (book: AddressBook, agent: () => EndpointListener | undefined): InProcessPlugin =>
  async (command, conf, attachment, machine) => {
    const { containerId, pod, net } = attachment;
    if (command === 'DEL') {
      // The veth goes with the pod's namespace; a new pod of the same name may own a device of this name by now.
      book.release(containerId);
      agent()?.removeEndpoint({ namespace: pod.namespace, name: pod.name, container: containerId });
      return undefined;
    }
    const device = vethName(pod.namespace, pod.name);
    const address = book.assign(containerId);
    const mtu = typeof conf['mtu'] === 'number' ? conf['mtu'] : 1500;
    try {
      const link = `link add ${device} address ${HOST_MAC} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${net.path}`;
      await machine.ip([link]).catch((error: unknown) => {
        // Left by a pod of that name whose namespace is not quite gone: the real plugin removes it too.
        if (!String(error).includes('File exists')) throw error;
        return machine.ip([`link del ${device}`, link]);
      });
      for (const [name, value] of hostSysctls(device)) machine.net.sysctl(name, value);
      await ipBatch(net, podLines(address));
      await machine.ip([`link set ${device} up`, `route replace ${address}/32 dev ${device} scope link`]);
      await agent()?.addEndpoint({
        namespace: pod.namespace,
        name: pod.name,
        ip: address,
        container: containerId,
      });
    } catch (error) {
      book.release(containerId);
      throw error;
    }
    return {
      cniVersion: conf.cniVersion,
      interfaces: [{ name: device }],
      ips: [{ address: `${address}/32` }],
    };
  };

/** Lines for ip(8) inside the pod. */
const podLines = (address: string): string[] => [
  `addr add ${address}/32 dev eth0`,
  'link set eth0 up',
  `route add ${GATEWAY} dev eth0 scope link`,
  `route add default via ${GATEWAY} dev eth0`,
];

const hostSysctls = (device: string): [string, number][] => [
  [`net.ipv4.conf.${device}.proxy_arp`, 1],
  [`net.ipv4.conf.${device}.forwarding`, 1],
  [`net.ipv4.conf.${device}.route_localnet`, 1],
  [`net.ipv4.neigh.${device}.proxy_delay`, 0],
  [`net.ipv6.conf.${device}.disable_ipv6`, 1],
];
