/**
 * The chains that the kubelet makes on every node, whatever the proxy mode (KEP-3178): a hint for other programs which
 * iptables flavour is in use, and the rule against martian packets from and to loopback.
 */
import type { NodeExec } from './backend.ts';

const FIREWALL =
  '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP';

/** Writes them on a node that has none yet. */
export async function ensureKubeletChains(exec: NodeExec): Promise<void> {
  const input = [
    '*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT',
    '*nat\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT',
    '*filter\n:KUBE-KUBELET-CANARY - [0:0]\n:KUBE-FIREWALL - [0:0]',
    `-A KUBE-FIREWALL ${FIREWALL}`,
    '-I INPUT -j KUBE-FIREWALL\n-I OUTPUT -j KUBE-FIREWALL\nCOMMIT\n',
  ].join('\n');
  const ran = await exec(['iptables-restore', '-w', '5', '--noflush'], input);
  if (!ran.ok) throw new Error(`iptables-restore: ${ran.stderr.trim()}`);
}
