/**
 * The segment that joins the nodes: a bridge in the sandbox's own network namespace and a veth pair per node,
 * the layout that Docker gives a kind cluster (172.18.0.0/16, gateway .1, MAC 02:42 + address).
 * The bridge has no way out: the sandbox has no other link.
 */
import { NetNamespace } from './netns.ts';
import { ipBatch, type Machine } from '../node/machine.ts';

export const SEGMENT = {
  prefix: '172.18.0',
  cidr: '172.18.0.0/16',
  gateway: '172.18.0.1',
  bridge: 'br-podlab',
};

/** Address of the n-th node, counted from 0. */
export const nodeAddress = (index: number): string => `${SEGMENT.prefix}.${index + 2}`;

/** Docker's way to derive a MAC from an IPv4 address: 02:42 and its four bytes. */
export function macOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

/** Puts machines on the segment, the bridge first. */
export async function joinSegment(machines: readonly Machine[]): Promise<void> {
  const own = NetNamespace.own;
  own.sysctl('net.ipv4.ip_forward', 1);
  const lines = [
    'link set lo up',
    `link add ${SEGMENT.bridge} type bridge forward_delay 0`,
    `addr add ${SEGMENT.gateway}/16 dev ${SEGMENT.bridge}`,
    `link set ${SEGMENT.bridge} up`,
  ];
  machines.forEach((machine, index) => {
    lines.push(
      `link add vethn${index} mtu 1500 type veth peer name eth0 netns ${machine.net.path} address ${macOf(machine.address)}`,
      `link set vethn${index} master ${SEGMENT.bridge} up`,
    );
  });
  await ipBatch(own, lines);
  await Promise.all(
    machines.map((machine) => {
      for (const [name, value] of NODE_SYSCTLS) machine.net.sysctl(name, value);
      return machine.ip([
        `addr add ${machine.address}/16 brd 172.18.255.255 dev eth0`,
        'link set eth0 up',
        `route add default via ${SEGMENT.gateway} dev eth0`,
      ]);
    }),
  );
}

/** What Docker sets on a kind node; kube-proxy sets more. */
const NODE_SYSCTLS: readonly (readonly [string, string | number])[] = [
  ['net.ipv4.ip_forward', 1],
  ['net.bridge.bridge-nf-call-iptables', 1],
];
