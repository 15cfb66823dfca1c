/**
 * Removes what the kernel remembers of UDP flows to endpoints that are gone. A UDP client that keeps its source port
 * would otherwise be led to the dead endpoint for as long as it talks, since NAT is decided once per flow (conntrack).
 * TCP needs no such help: its connections end.
 */
import type { NodeExec } from './backend.ts';
import type { ProxyState } from './state.ts';

interface Flow {
  readonly to: string;
  readonly port: number;
  readonly answeredBy: string;
  readonly answeredPort: number;
}

/** Reads `conntrack -L -p udp`: `udp 17 29 src=A dst=B sport=1 dport=2 [UNREPLIED] src=C dst=D sport=3 dport=4 ...`. */
export function flows(listed: string): Flow[] {
  const found: Flow[] = [];
  for (const line of listed.split('\n')) {
    const field = (name: string) =>
      [...line.matchAll(new RegExp(`\\b${name}=(\\S+)`, 'g'))].map((m) => m[1] ?? '');
    const [to] = field('dst');
    const [port] = field('dport');
    const [, answeredBy] = field('src');
    const [, answeredPort] = field('sport');
    if (line.startsWith('udp') && to && port && answeredBy && answeredPort)
      found.push({ to, port: Number(port), answeredBy, answeredPort: Number(answeredPort) });
  }
  return found;
}

/** Which flows lead to a UDP Service and are answered by something that is not a serving endpoint of it. */
export function staleFlows(all: readonly Flow[], state: ProxyState): Flow[] {
  const byAddress = new Map<string, Set<string>>();
  const byNodePort = new Map<number, Set<string>>();
  for (const service of state.services())
    for (const port of state.portsOf(service)) {
      if (port.protocol !== 'udp') continue;
      const serving = new Set(
        state
          .endpointsOf(port)
          .filter((endpoint) => endpoint.serving)
          .map((endpoint) => endpoint.address),
      );
      if (serving.size === 0) continue; // The rules reject; what is remembered does no harm.
      for (const ip of [port.clusterIP, ...port.loadBalancerVIPs, ...port.externalIPs])
        byAddress.set(`${ip}:${port.port}`, serving);
      if (port.nodePort !== 0) byNodePort.set(port.nodePort, serving);
    }
  return all.filter(({ to, port, answeredBy, answeredPort }) => {
    const serving = byAddress.get(`${to}:${port}`) ?? byNodePort.get(port);
    return serving !== undefined && !serving.has(`${answeredBy}:${answeredPort}`);
  });
}

/** Looks and removes, in the node's namespace. */
export async function removeStaleFlows(state: ProxyState, exec: NodeExec): Promise<number> {
  const listed = await exec(['conntrack', '-L', '-p', 'udp']);
  if (!listed.ok) throw new Error(`conntrack: ${listed.stderr.trim()}`);
  const stale = staleFlows(flows(listed.stdout), state);
  const seen = new Set<string>();
  for (const { to, port, answeredBy, answeredPort } of stale) {
    const argv = ['--orig-dst', to, '--orig-port-dst', `${port}`, '--reply-src', answeredBy];
    argv.push('--reply-port-src', `${answeredPort}`);
    if (seen.has(argv.join(' '))) continue;
    seen.add(argv.join(' '));
    // Not checked: a flow that ended meanwhile is an error for conntrack and none for us.
    await exec(['conntrack', '-D', '-p', 'udp', ...argv]);
  }
  return seen.size;
}
