import { describe, expect, it } from 'vitest';
import { readCapture, ofFlow } from '../../../checks/capture.ts';
import { modeIn, withMode } from '../../../checks/components.ts';
import { readFlows } from '../../../checks/conntrack.ts';
import { readFdb, readLinks, readSockets } from '../../../checks/link.ts';
import { readAnswer } from '../../../checks/netns.ts';
import { outputOf, parsed } from '../../../checks/node-command.ts';
import { covers, difference, readRoutes, routesTo } from '../../../checks/route.ts';
import { readIptables, whereRulesStand } from '../../../checks/rules.ts';
import { asked, notAsked } from '../../../src/model/observation.ts';
import { same } from '../../../src/model/text.ts';

/** Outputs below were printed by iproute2 6.1, iptables 1.8.9, conntrack 1.4.7 and tcpdump 4.99.3. */
describe('routes', () => {
  const output =
    '[{"dst":"default","gateway":"172.18.0.1","dev":"eth0","flags":[]},' +
    '{"type":"blackhole","dst":"10.244.9.0/26","protocol":"80","flags":[]},' +
    '{"dst":"10.244.9.5","dev":"cali12345678901","scope":"link","protocol":"80","flags":[]},' +
    '{"dst":"10.244.2.0/26","gateway":"172.18.0.6","dev":"eth0","protocol":"bird","metric":32,"flags":[]},' +
    '{"type":"local","dst":"10.0.0.1","dev":"v0","table":"local","protocol":"kernel","scope":"host","flags":[]}]';

  it('reads who made each', () => {
    const all = readRoutes(output);
    expect(all.map((one) => one.protocol)).toEqual(['boot', '80', '80', 'bird', 'kernel']);
    expect(routesTo(all, '10.244.2.7')).toMatchObject([{ protocol: 'bird', gateway: '172.18.0.6' }]);
    expect(routesTo(all, '10.244.9.5').map((one) => one.dst)).toEqual(['10.244.9.5', '10.244.9.0/26']);
    expect(routesTo(all, '8.8.8.8')).toEqual([]);
  });

  it('tells what changed, without the host routes of pods', () => {
    const before = readRoutes(output);
    const after = readRoutes(
      output.replace('10.244.9.5', '10.244.9.6').replace('10.244.2.0/26', '10.96.0.1'),
    );
    expect(difference(before, before)).toEqual([]);
    expect(difference(before, after)).toEqual([
      '+ 10.96.0.1 via 172.18.0.6 dev eth0 proto bird metric 32',
      '- 10.244.2.0/26 via 172.18.0.6 dev eth0 proto bird metric 32',
    ]);
  });

  it('knows which prefix covers an address', () => {
    expect(covers('10.96.0.0/12', '10.111.255.255')).toBe(true);
    expect(covers('10.96.0.0/12', '10.112.0.0')).toBe(false);
    expect(covers('192.168.1.1', '192.168.1.1')).toBe(true);
    expect(covers('0.0.0.0/0', '255.1.2.3')).toBe(true);
  });
});

it('reads links, forwarding entries and sockets', () => {
  const link =
    '[{"ifname":"flannel.1","flags":["BROADCAST","UP"],"mtu":1450,"address":"d2:5a:ac:e0:26:b4",' +
    '"linkinfo":{"info_kind":"vxlan","info_data":{"id":1,"port":8472}}},' +
    '{"ifname":"lo","flags":["LOOPBACK"],"mtu":65536,"address":"00:00:00:00:00:00"}]';
  expect(readLinks(link)).toMatchObject([
    { name: 'flannel.1', up: true, kind: 'vxlan', vxlan: { port: 8472, id: 1 } },
    { name: 'lo', up: false, kind: undefined },
  ]);
  expect(
    readFdb('[{"mac":"00:11:22:33:44:55","dst":"10.0.0.9","flags":["self"],"state":"permanent"}]'),
  ).toEqual([{ mac: '00:11:22:33:44:55', dst: '10.0.0.9', state: 'permanent' }]);
  expect(readFdb('')).toEqual([]);
  const ss =
    'LISTEN 0      8            0.0.0.0:179        0.0.0.0:*    \n' +
    'ESTAB  0      0      172.18.0.3:179     172.18.0.2:40123\n' +
    'ESTAB  0      0      [::ffff:172.18.0.3]:10250 [::ffff:172.18.0.4]:36640\n';
  expect(readSockets(ss)).toEqual([
    { state: 'LISTEN', localPort: 179, peer: '0.0.0.0', peerPort: 0 },
    { state: 'ESTAB', localPort: 179, peer: '172.18.0.2', peerPort: 40123 },
    { state: 'ESTAB', localPort: 10250, peer: '172.18.0.4', peerPort: 36640 },
  ]);
  expect(() => readSockets('bash: ss: not found')).toThrow(/ss said/);
});

it('reads conntrack: the Service as asked, the pod as it answers', () => {
  const output =
    'tcp      6 118 TIME_WAIT src=10.244.1.2 dst=10.96.0.10 sport=43210 dport=80 src=10.244.2.2 dst=10.244.1.2 sport=80 dport=43210 [ASSURED] mark=0 use=1\n';
  expect(readFlows(output)).toEqual([
    {
      protocol: 'tcp',
      original: { src: '10.244.1.2', dst: '10.96.0.10', sport: 43210, dport: 80 },
      reply: { src: '10.244.2.2', dst: '10.244.1.2', sport: 80, dport: 43210 },
    },
  ]);
  expect(readFlows('')).toEqual([]);
});

it('reads iptables-save -c', () => {
  const output =
    '*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n' +
    '[7:420] -A KUBE-SERVICES -d 10.96.1.2/32 -p tcp -m comment --comment "ns/web:p cluster IP" -m tcp --dport 80 -j KUBE-SVC-X\nCOMMIT\n';
  expect(readIptables(output)).toMatchObject([{ table: 'nat', chain: 'KUBE-SERVICES', packets: 7 }]);
  expect(() => readIptables('[x] -A Y')).toThrow();
  expect(whereRulesStand({ iptables: [], nftables: [] })).toBe('none');
  expect(whereRulesStand({ iptables: ['x'], nftables: ['y'] })).toBe('iptables+nftables');
});

describe('captures', () => {
  const statistics = (dropped: number) =>
    '--- tcpdump\ntcpdump: data link type LINUX_SLL2\nlistening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 160 bytes\n' +
    `3 packets captured\n6 packets received by filter\n${dropped} packets dropped by kernel\n`;
  it('reads packets with and without a device, and those without ports', () => {
    const output =
      '1796002605.276353 lo    In  IP 10.244.1.1.38620 > 10.96.0.10.80: Flags [S], seq 1, length 0\n' +
      '1796002606.323592 eth0  Out IP 10.244.1.1 > 10.244.1.7: ICMP echo request, id 95, seq 1, length 64\n' +
      '1796002606.4 IP 172.18.0.3.1 > 172.18.0.4.8472: OTV, flags [I] (0x08), overlay 0, instance 1\n' +
      'IP 10.244.1.1.2 > 10.244.2.2.80: Flags [S], length 0\n' +
      '1796002606.530329 ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28\n' +
      statistics(0);
    const { packets, dropped } = readCapture(output);
    expect(dropped).toBe(0);
    expect(packets).toEqual([
      { device: 'lo', way: 'In', src: '10.244.1.1', sport: 38620, dst: '10.96.0.10', dport: 80 },
      { device: 'eth0', way: 'Out', src: '10.244.1.1', sport: 0, dst: '10.244.1.7', dport: 0 },
      { device: undefined, way: undefined, src: '172.18.0.3', sport: 1, dst: '172.18.0.4', dport: 8472 },
    ]);
    const flow = [
      { ip: '10.96.0.10', port: 80 },
      { ip: '10.244.1.1', port: 38620 },
    ] as const;
    expect(ofFlow({ packets }, flow[0], flow[1])).toHaveLength(1);
  });
  it('refuses one without statistics, and counts what the kernel dropped', () => {
    expect(() => readCapture('1.2 IP 10.0.0.1 > 10.0.0.2: ICMP\n')).toThrow(/statistics/);
    expect(() => readCapture('--- tcpdump\ntcpdump: eth9: No such device\n')).toThrow(/dropped/);
    expect(readCapture(statistics(5)).dropped).toBe(5);
  });
});

describe('a broken probe is never an answer', () => {
  const answer = (code: number, stdout: string, stderr = '') => asked({ code, stdout, stderr });
  const http = (code: number, stdout: string, stderr = '') => {
    const seen = readAnswer(answer(code, stdout, stderr));
    return seen.asked ? seen.value.outcome : 'not asked';
  };
  it('reads bash and timeout(1)', () => {
    expect(readAnswer(answer(0, 'HTTP/1.0 200 OK\r\nX: y\r\n\r\nc'))).toMatchObject({
      value: { outcome: 'CONNECTED', body: 'c' },
    });
    expect(http(124, '')).toBe('TIMEOUT');
    expect(http(1, '', 'bash: connect: Connection refused')).toBe('REFUSED');
    expect(http(1, '', 'bash: connect: No route to host')).toBe('UNREACHABLE');
    expect(http(0, '')).toBe('not asked');
    expect(http(1, '', 'bash: fork: Cannot allocate memory')).toBe('not asked');
    expect(http(1, '', 'nsenter: cannot open /var/run/netns/x: No such file or directory')).toBe('not asked');
  });
  it('a failed command and an unreadable output answer nothing', () => {
    expect(outputOf(answer(1, '', 'no'))).toMatchObject({ asked: false });
    expect(outputOf(answer(0, 'yes'))).toMatchObject({ asked: true, value: 'yes' });
    expect(parsed(asked('nonsense'), readRoutes)).toMatchObject({ asked: false });
    expect(parsed(notAsked(same('x')), readRoutes)).toMatchObject({ asked: false });
  });
});

it("changes kube-proxy's mode in its configuration and nothing else", () => {
  const before =
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ""\nnodePortAddresses: null\n';
  expect(modeIn(before)).toBe('iptables');
  const after = withMode(before, 'nftables');
  expect(modeIn(after)).toBe('nftables');
  expect(after.replace('mode: nftables', 'mode: ""')).toBe(before);
  expect(modeIn(withMode('kind: KubeProxyConfiguration\n', 'nftables'))).toBe('nftables');
});
