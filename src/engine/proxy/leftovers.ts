/**
 * What a kube-proxy of the other mode left on the node: removed when one starts, as upstream does
 * (kubernetes/kubernetes pkg/proxy/iptables CleanupLeftovers, pkg/proxy/nftables CleanupLeftovers).
 */
import type { NodeExec } from './backend.ts';

/** Chains of kube-proxy alone; KUBE-MARK-MASQ and KUBE-FIREWALL are the kubelet's as well and stay. */
const OURS =
  /^KUBE-(?:SERVICES|EXTERNAL-SERVICES|NODEPORTS|POSTROUTING|FORWARD|PROXY-FIREWALL|PROXY-CANARY|(?:SVC|SVL|SEP|EXT|FW)-.+)$/;

/** Removes the rules of the iptables mode. */
export async function removeIptables(exec: NodeExec): Promise<void> {
  for (const table of ['nat', 'filter', 'mangle']) {
    const saved = await exec(['iptables-save', '-t', table]);
    const lines = saved.stdout.split('\n');
    const chains = lines
      .flatMap((line) => /^:(\S+) /.exec(line)?.[1] ?? [])
      .filter((chain) => OURS.test(chain));
    if (chains.length === 0) continue;
    const jumps = lines.filter((line) => {
      const [, chain, target] = /^-A (\S+) .*?-j (\S+)/.exec(line) ?? [];
      return chain !== undefined && !chain.startsWith('KUBE-') && OURS.test(target!);
    });
    const input = [
      `*${table}`,
      ...chains.map((chain) => `:${chain} - [0:0]`),
      ...jumps.map((line) => line.replace(/^-A/, '-D')),
      ...chains.map((chain) => `-X ${chain}`),
      'COMMIT',
      '',
    ].join('\n');
    await exec(['iptables-restore', '--noflush', '--wait', '5'], input);
  }
}

/** Removes the table of the nftables mode, if there is one. */
export async function removeNftables(exec: NodeExec): Promise<void> {
  await exec(['nft', '-f', '-'], 'add table ip kube-proxy\ndelete table ip kube-proxy\n');
}
