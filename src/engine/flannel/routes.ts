/**
 * What flanneld tells the kernel of the other nodes (flannel, Documentation/backends.md).
 *
 * VXLAN: device flannel.1 (VNI 1, UDP 8472, no learning); per node a route to its subnet via its .0 address
 * on the device (onlink), a permanent neighbour for that address and an FDB entry that leads to the node.
 * host-gw: one route per node, over the segment, and the packets stay as they are.
 */
import { randomBytes } from 'node:crypto';

/** Another node, as its annotations tell. */
export interface Peer {
  /** Its node address. */
  readonly publicIp: string;
  /** Its share of the pod network, e.g. 10.244.1.0/24. */
  readonly subnet: string;
  /** MAC of its VXLAN device. */
  readonly vtepMac: string;
}

export const VXLAN_DEVICE = 'flannel.1';
/** 20 IPv4 + 8 UDP + 8 VXLAN + 14 inner Ethernet. */
export const VXLAN_OVERHEAD = 50;

/** Network address without its mask: the address of the node's VXLAN device. */
export const vtepAddress = (subnet: string): string => subnet.split('/')[0] ?? subnet;

/** A locally administered MAC by chance, as flanneld draws one for each device that it makes: a node that joins anew has another. */
export function drawMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Makes the device; an address of mask 32, so that it makes no route of its own. */
export function vxlanDevice(local: string, subnet: string, mac: string): string[] {
  return [
    `link add ${VXLAN_DEVICE} address ${mac} type vxlan id 1 local ${local} dev eth0 dstport 8472 nolearning`,
    `addr add ${vtepAddress(subnet)}/32 dev ${VXLAN_DEVICE}`,
    `link set ${VXLAN_DEVICE} mtu ${1500 - VXLAN_OVERHEAD} up`,
  ];
}

/** Lines for ip(8), and for bridge(8) where the FDB is. */
export interface Lines {
  readonly ip: readonly string[];
  readonly bridge: readonly string[];
}

export function vxlanPeer(peer: Peer, action: 'replace' | 'del'): Lines {
  const address = vtepAddress(peer.subnet);
  return {
    ip: [
      `neigh ${action} ${address} lladdr ${peer.vtepMac} dev ${VXLAN_DEVICE}${action === 'del' ? '' : ' nud permanent'}`,
      `route ${action} ${peer.subnet} via ${address} dev ${VXLAN_DEVICE} onlink`,
    ],
    bridge: [
      `fdb ${action} ${peer.vtepMac} dev ${VXLAN_DEVICE} dst ${peer.publicIp} self${action === 'del' ? '' : ' permanent'}`,
    ],
  };
}

export function hostGwPeer(peer: Peer, action: 'replace' | 'del'): Lines {
  return { ip: [`route ${action} ${peer.subnet} via ${peer.publicIp} dev eth0`], bridge: [] };
}
