import { describe, expect, it } from 'vitest';
import { domainOf, readDig } from '../../../checks/dns.ts';
import { endpointsIn } from '../../../checks/endpoints.ts';
import { echoOf } from '../../../checks/ping.ts';
import { marksOf, printTable, type TruthTable } from '../../../checks/tables.ts';

const dig = (status: string, answer: string) => `
; <<>> DiG 9.18.28-1~deb12u2-Debian <<>> +tries=1 +time=2 web.lab.svc.cluster.local. A
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: ${status}, id: 21364
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
;; WARNING: recursion requested but not available

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
; COOKIE: 5b4b4c (echoed)
;; QUESTION SECTION:
;web.lab.svc.cluster.local.	IN	A

${answer}
;; Query time: 0 msec
;; SERVER: 10.96.0.10#53(10.96.0.10) (UDP)
;; MSG SIZE  rcvd: 107
`;

describe('dig', () => {
  it('reads the records of the answer section', () => {
    const answer = `;; ANSWER SECTION:
web.lab.svc.cluster.local. 30	IN	A	10.244.2.9
web.lab.svc.cluster.local. 30	IN	A	10.244.1.7
`;
    expect(readDig({ code: 0, output: dig('NOERROR', answer) })).toEqual({
      rcode: 'NOERROR',
      data: ['10.244.1.7', '10.244.2.9'],
      ttl: 30,
    });
  });
  it('tells no such name from no server', () => {
    const soa = `;; AUTHORITY SECTION:
cluster.local.	30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30
`;
    expect(readDig({ code: 0, output: dig('NXDOMAIN', soa) })).toEqual({ rcode: 'NXDOMAIN', data: [] });
    const silent = ';; communications error to 10.96.0.10#53: timed out\n;; no servers could be reached\n';
    expect(readDig({ code: 9, output: silent })).toEqual({ rcode: 'NO-ANSWER', data: [] });
    expect(readDig({ code: 1, output: 'Usage: dig [@global-server] ...' })).toBeUndefined();
  });
  it('knows the domain from resolv.conf', () => {
    const conf = 'nameserver 10.96.0.10\nsearch lab.svc.k8s.lan svc.k8s.lan k8s.lan\noptions ndots:5\n';
    expect(domainOf(conf)).toBe('k8s.lan');
    expect(domainOf('nameserver 1.1.1.1\n')).toBeUndefined();
  });
});

describe('ping', () => {
  it('reads iputils and busybox', () => {
    expect(echoOf('2 packets transmitted, 2 received, 0% packet loss, time 301ms')).toBe('reply');
    expect(echoOf('2 packets transmitted, 0 packets received, 100% packet loss')).toBe('no reply');
    expect(echoOf('ping: socket: Operation not permitted')).toBeUndefined();
  });
});

describe('endpoints', () => {
  it('counts an unsaid readiness as ready', () => {
    const [first, second] = endpointsIn([
      { endpoints: [{ addresses: ['10.0.0.2'], targetRef: { kind: 'Pod', name: 'b' } }] },
      { endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: false, terminating: true } }] },
    ]);
    expect(first).toMatchObject({ address: '10.0.0.1', ready: false, serving: false, terminating: true });
    expect(second).toMatchObject({ pod: 'b', ready: true });
  });
});

describe('truth tables', () => {
  const table = (cells: TruthTable['cells']): TruthTable => ({
    rows: ['a', 'bb'],
    columns: ['a', 'bb'],
    cells,
  });
  const after = table([
    ['CONNECTED', 'TIMEOUT'],
    [undefined, 'CONNECTED'],
  ]);
  it('prints marks', () => {
    expect(marksOf(after)).toBe('.X ?.');
    expect(printTable(after)).toBe('    a  bb\na   .  X\nbb  ?  .');
  });
});
