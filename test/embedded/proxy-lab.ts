/**
 * Two nodes with pods and a client outside, all network namespaces of one unprivileged sandbox: for packets through kube-proxy.
 *
 *   client 172.18.0.9 --+-- segment --+-- node1 172.18.0.2 -- web1 10.244.1.2, web2 10.244.1.3, cli1 10.244.1.4
 *                                     +-- node2 172.18.0.3 -- web3 10.244.2.2
 *
 * Every pod answers TCP and UDP on port 8080 with its name and the address that it was asked from.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { must, run } from '../../src/exec/run.ts';
import type { NodeExec } from '../../src/engine/proxy/index.ts';

export const PODS: Record<string, { node: string; ip: string }> = {
  web1: { node: 'node1', ip: '10.244.1.2' },
  web2: { node: 'node1', ip: '10.244.1.3' },
  cli1: { node: 'node1', ip: '10.244.1.4' },
  web3: { node: 'node2', ip: '10.244.2.2' },
};

const SERVER = `use IO::Socket::INET; use IO::Select; $| = 1;
my ($name) = @ARGV;
my $tcp = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die $!;
my $udp = IO::Socket::INET->new(LocalPort => 8080, Proto => 'udp') or die $!;
print "ready\\n";
my $both = IO::Select->new($tcp, $udp);
while (my @ready = $both->can_read) { for my $s (@ready) {
  if ($s == $tcp) { my $c = $tcp->accept or next; print $c "$name ", $c->peerhost, "\\n"; close $c }
  else { my $from = $udp->recv(my $data, 512); my ($port, $ip) = sockaddr_in($from); $udp->send("$name " . inet_ntoa($ip) . "\\n", 0, $from) }
} }`;

// Two seconds: a reject that comes back while connect() still holds the socket counts only when the SYN is repeated
// after one second (tcp_v4_err in the kernel), which over veth, on one machine, is the rule.
const ASK = `use Socket; use Errno; $SIG{ALRM} = sub { die "TIMEOUT\\n" };
my ($proto, $ip, $port, $times, $local) = @ARGV;
for (1 .. $times) {
  socket(my $s, PF_INET, $proto eq 'udp' ? SOCK_DGRAM : SOCK_STREAM, 0) or die $!;
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($s, sockaddr_in($local, INADDR_ANY)) or die $! if $local;
  my $answer = eval {
    alarm 2;
    connect($s, sockaddr_in($port, inet_aton($ip))) or die "$!\\n";
    if ($proto eq 'udp') { defined send($s, 'x', 0) or die "$!\\n" }
    defined recv($s, my $data, 512, 0) or die "$!\\n";
    $data;
  } // $@;
  alarm 0;
  $answer =~ s/^Connection refused/REFUSED/; $answer =~ s/^(No route to host|Network is unreachable)/UNREACHABLE/;
  print $answer;
}`;

export class Lab {
  private constructor(
    private readonly holder: ChildProcess,
    private readonly servers: ChildProcess[],
  ) {}

  static async up(): Promise<Lab> {
    const holder = spawn(
      'unshare',
      [
        '--user',
        '--map-root-user',
        '--net',
        '--mount',
        'sh',
        '-c',
        'mount -t tmpfs run /run && mkdir /run/netns && echo up && exec sleep infinity',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise<void>((resolve, reject) => {
      holder.stdout?.once('data', () => resolve());
      holder.once('exit', () => reject(new Error('no sandbox')));
    });
    const lab = new Lab(holder, []);
    await lab.wire();
    for (const name of ['web1', 'web2', 'web3']) await lab.serve(name);
    return lab;
  }

  /** A command in a namespace: 'node1', 'client', 'web1' ...; undefined for the segment itself. */
  private argv(at: string | undefined, argv: readonly string[]): string[] {
    const enter = [
      'nsenter',
      '-t',
      `${this.holder.pid}`,
      '--user',
      '--net',
      '--mount',
      '--preserve-credentials',
    ];
    return [...enter, ...(at ? ['ip', 'netns', 'exec', at] : []), ...argv];
  }

  /** As the `exec` of a component on that node. */
  execIn(at: string): NodeExec {
    return (argv, input) => run(this.argv(at, argv), { input });
  }

  async exec(at: string | undefined, argv: readonly string[], input?: string): Promise<string> {
    return (await must(this.argv(at, argv), { input })).stdout;
  }

  /** Asks `times` times and gives the distinct answers, sorted: `web1 10.244.1.4`, REFUSED, TIMEOUT, UNREACHABLE. */
  async ask(from: string, to: string, { proto = 'tcp', times = 1, localPort = 0 } = {}): Promise<string[]> {
    const [ip = '', port = ''] = to.split(':');
    const out = await this.exec(from, ['perl', '-e', ASK, proto, ip, port, `${times}`, `${localPort || ''}`]);
    return [...new Set(out.trim().split('\n'))].sort();
  }

  async down(): Promise<void> {
    for (const process of [...this.servers, this.holder]) process.kill('SIGKILL');
  }

  private async wire(): Promise<void> {
    const hosts: [string, string][] = [
      ['node1', '172.18.0.2'],
      ['node2', '172.18.0.3'],
      ['client', '172.18.0.9'],
    ];
    // Its address is the nodes' gateway, which knows no way further.
    const root = ['link add seg type bridge', 'addr add 172.18.0.1/16 dev seg', 'link set seg up'];
    const inside: [string, string[]][] = [];
    for (const [name, ip] of hosts) {
      root.push(`netns add ${name}`, `link add ${name} type veth peer name eth0 netns ${name}`);
      root.push(`link set ${name} master seg up`);
      inside.push([
        name,
        [
          'link set lo up',
          `addr add ${ip}/16 dev eth0`,
          'link set eth0 up',
          'route add default via 172.18.0.1',
        ],
      ]);
    }
    for (const [node, net, other, otherIP] of [
      ['node1', '10.244.1', '10.244.2.0/24', '172.18.0.3'],
      ['node2', '10.244.2', '10.244.1.0/24', '172.18.0.2'],
    ] as const) {
      const batch = ['link add cni0 type bridge', `addr add ${net}.1/24 dev cni0`, 'link set cni0 up'];
      batch.push(`route add ${other} via ${otherIP}`);
      for (const [pod, { ip }] of Object.entries(PODS).filter(([, pod]) => pod.node === node)) {
        root.push(`netns add ${pod}`);
        root.push(`link add ${pod} netns ${node} type veth peer name eth0 netns ${pod}`);
        // Hairpin, as the bridge plugin is told by flannel: a pod that reaches itself through a Service.
        batch.push(`link set ${pod} master cni0 up`, `link set ${pod} type bridge_slave hairpin on`);
        inside.push([
          pod,
          [
            'link set lo up',
            `addr add ${ip}/24 dev eth0`,
            'link set eth0 up',
            `route add default via ${net}.1`,
          ],
        ]);
      }
      inside.push([node, batch]);
    }
    // A router outside would know where these are: Services and load balancer addresses by node1, pods by their nodes.
    for (const [range, via] of [
      ['10.96.0.0/16', 2],
      ['192.0.2.0/24', 2],
      ['10.244.1.0/24', 2],
      ['10.244.2.0/24', 3],
    ])
      inside.push(['client', [`route add ${range} via 172.18.0.${via}`]]);
    await this.exec(undefined, ['ip', '-batch', '-'], `${root.join('\n')}\n`);
    for (const [at, batch] of inside) await this.exec(at, ['ip', '-batch', '-'], `${batch.join('\n')}\n`);
    for (const node of ['node1', 'node2'])
      await this.exec(node, ['tee', '/proc/sys/net/ipv4/ip_forward'], '1');
  }

  private async serve(name: string): Promise<void> {
    const [program = '', ...args] = this.argv(name, ['perl', '-MSocket', '-e', SERVER, name]);
    const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.stdout.once('data', () => resolve());
      server.once('exit', () => reject(new Error(`${name} does not serve`)));
    });
  }
}
