/**
 * flanneld's firewall rules (flannel, pkg/trafficmngr/iptables): pods keep their address among themselves and take
 * the node's outside; the pod network may be forwarded.
 */
import type { Machine } from '../node/machine.ts';

const comment = (text: string) => `-m comment --comment "${text}"`;

/** Writes chains FLANNEL-POSTRTG and FLANNEL-FWD, each in one transaction. */
export async function masqueradeRules(machine: Machine, podSubnet: string): Promise<void> {
  const local = machine.podCidr;
  const chain = 'FLANNEL-POSTRTG';
  const masq = comment('flanneld masq');
  const nat = [
    `-A ${chain} -m mark --mark 0x4000/0x4000 ${masq} -j RETURN`,
    `-A ${chain} -s ${local} -d ${podSubnet} ${masq} -j RETURN`,
    `-A ${chain} -s ${podSubnet} -d ${local} ${masq} -j RETURN`,
    `-A ${chain} ! -s ${podSubnet} -d ${local} ${masq} -j RETURN`,
    `-A ${chain} -s ${podSubnet} ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully`,
    `-A ${chain} ! -s ${podSubnet} -d ${podSubnet} ${masq} -j MASQUERADE --random-fully`,
  ];
  const forward = comment('flanneld forward');
  const filter = [
    `-A FLANNEL-FWD -s ${podSubnet} ${forward} -j ACCEPT`,
    `-A FLANNEL-FWD -d ${podSubnet} ${forward} -j ACCEPT`,
  ];
  const hooked = await machine.run(['iptables-save']);
  const jump = (hook: string, target: string, note: string) =>
    hooked.stdout.includes(`-A ${hook} ${comment(note)} -j ${target}`)
      ? []
      : [`-A ${hook} ${comment(note)} -j ${target}`];
  const input = [
    '*nat',
    `:${chain} - [0:0]`,
    ...nat,
    ...jump('POSTROUTING', chain, 'flanneld masq'),
    'COMMIT',
    '*filter',
    ':FLANNEL-FWD - [0:0]',
    ...filter,
    ...jump('FORWARD', 'FLANNEL-FWD', 'flanneld forward'),
    'COMMIT',
    '',
  ].join('\n');
  const ran = await machine.run(['iptables-restore', '--noflush', '--wait'], { input });
  if (!ran.ok) throw new Error(`iptables-restore: ${ran.stderr.trim()}`);
}
