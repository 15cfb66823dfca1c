/** What the node agent works out without a kernel: names, environments, files, routes, logs, statuses. */
import { text as textOf } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { AddressBook } from '../../../src/engine/calico/ipam.ts';
import { delegateOf } from '../../../src/engine/flannel/plugin.ts';
import { drawMac, hostGwPeer, vxlanPeer } from '../../../src/engine/flannel/routes.ts';
import { findImage, unknownImage } from '../../../src/engine/images/catalogue.ts';
import { fullName, repository } from '../../../src/engine/images/image.ts';
import { macOf } from '../../../src/engine/linux/segment.ts';
import { bwrapArguments, capabilitiesOf, capabilityNumbers } from '../../../src/engine/node/capabilities.ts';
import { expand, serviceVariables } from '../../../src/engine/node/env.ts';
import { ContainerLog } from '../../../src/engine/node/log.ts';
import type { Pod } from '../../../src/engine/node/pod-types.ts';
import { resolvConf } from '../../../src/engine/node/pod-sandbox.ts';
import { quantity } from '../../../src/engine/node/quantity.ts';
import { ContainerRecord } from '../../../src/engine/node/record.ts';

const pod = (spec: Partial<Pod['spec']> = {}, namespace = 'shop'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace, uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'nginx' }], ...spec },
});

describe('images', () => {
  it.each([
    ['nginx', 'nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'nginx', 'docker.io/library/nginx:1.27'],
    ['nicolaka/netshoot', 'nicolaka/netshoot', 'docker.io/nicolaka/netshoot:latest'],
    [
      'registry.k8s.io/e2e-test-images/agnhost:2.47',
      'e2e-test-images/agnhost',
      'registry.k8s.io/e2e-test-images/agnhost:2.47',
    ],
    ['localhost:5000/nginx:1', 'nginx', 'localhost:5000/nginx:1'],
    ['nginx@sha256:ab', 'nginx', 'docker.io/library/nginx@sha256:ab'],
  ])('%s', (name, short, full) => {
    expect(repository(name)).toBe(short);
    expect(fullName(name)).toBe(full);
    expect(findImage(name)).toBeDefined();
  });

  it('one that is not there is told with those that are', () => {
    expect(findImage('example.com/shop:1')).toBeUndefined();
    expect(unknownImage('example.com/shop:1')).toMatch(/no registry.*nginx.*busybox.*agnhost/);
  });
});

describe('environment', () => {
  it('expands what is known, once, and leaves the rest', () => {
    expect(expand('$(A)/$(B)/$$(A)/$A', { A: '1' })).toBe('1/$(B)/$(A)/$A');
    expect(expand('$(A)', { A: '$(A)' })).toBe('$(A)');
  });

  it('has the Services of its namespace and kubernetes, and no headless ones', () => {
    const service = (name: string, namespace: string, clusterIP: string) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { clusterIP, ports: [{ name: 'http', port: 80 }] },
    });
    const all = [
      service('kubernetes', 'default', '10.96.0.1'),
      service('my-db', 'shop', '10.96.3.4'),
      service('nobody', 'shop', 'None'),
      service('other', 'elsewhere', '10.96.3.5'),
    ];
    const env = serviceVariables(all, pod());
    expect(env).toMatchObject({
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
      MY_DB_SERVICE_PORT_HTTP: '80',
      MY_DB_PORT_80_TCP: 'tcp://10.96.3.4:80',
    });
    expect(Object.keys(env).some((key) => /NOBODY|OTHER/.test(key))).toBe(false);
    expect(Object.keys(serviceVariables(all, pod({ enableServiceLinks: false }))).join()).not.toContain('DB');
  });
});

describe('resolv.conf', () => {
  const read = (spec: Partial<Pod['spec']>) => resolvConf(pod(spec), '10.96.0.10', 'cluster.local');
  it('ClusterFirst is the default, but not in the host network', () => {
    expect(read({})).toBe(
      'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
    );
    expect(read({ hostNetwork: true })).toBe('\n');
    expect(read({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' })).toContain('10.96.0.10');
  });
  it('None takes what dnsConfig says; options of the same name are replaced', () => {
    const dnsConfig = {
      nameservers: ['1.2.3.4'],
      searches: ['a.b'],
      options: [{ name: 'ndots', value: '1' }],
    };
    expect(read({ dnsPolicy: 'None', dnsConfig })).toBe('search a.b\nnameserver 1.2.3.4\noptions ndots:1\n');
    expect(read({ dnsConfig })).toContain('options ndots:1');
  });
});

describe('capabilities', () => {
  it('are the runtime defaults, with what is added and without what is dropped', () => {
    const defaults = capabilitiesOf(undefined);
    expect(defaults).toContain('NET_RAW');
    expect(defaults).not.toContain('NET_ADMIN');
    expect(capabilitiesOf({ capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } })).toEqual(['NET_ADMIN']);
    expect(capabilitiesOf({ privileged: true })).toBe('all');
    expect(capabilityNumbers(['CHOWN', 'NET_ADMIN', 'NET_RAW'])).toBe('0,12,13');
    expect(bwrapArguments(['NET_RAW'])).toEqual(['--cap-drop', 'ALL', '--cap-add', 'CAP_NET_RAW']);
  });
});

describe('flannel', () => {
  const peer = { publicIp: '172.18.0.4', subnet: '10.244.2.0/24', vtepMac: drawMac() };
  it('VXLAN: a route on the device, a permanent neighbour, an FDB entry', () => {
    const lines = vxlanPeer(peer, 'replace');
    expect(lines.ip).toEqual([
      `neigh replace 10.244.2.0 lladdr ${peer.vtepMac} dev flannel.1 nud permanent`,
      'route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    ]);
    expect(lines.bridge).toEqual([`fdb replace ${peer.vtepMac} dev flannel.1 dst 172.18.0.4 self permanent`]);
    expect(Number.parseInt(peer.vtepMac.slice(0, 2), 16) & 3).toBe(2);
  });
  it('host-gw: a route via the node and nothing else', () => {
    expect(hostGwPeer(peer, 'del')).toEqual({
      ip: ['route del 10.244.2.0/24 via 172.18.0.4 dev eth0'],
      bridge: [],
    });
  });
  it('hands a bridge configuration on', () => {
    const subnet = {
      FLANNEL_NETWORK: '10.244.0.0/16',
      FLANNEL_SUBNET: '10.244.1.1/24',
      FLANNEL_MTU: '1450',
      FLANNEL_IPMASQ: 'true',
    };
    const conf = { type: 'flannel', name: 'cbr0', cniVersion: '0.3.1', delegate: { hairpinMode: true } };
    expect(delegateOf(conf, subnet)).toMatchObject({
      type: 'bridge',
      mtu: 1450,
      ipMasq: false,
      hairpinMode: true,
      ipam: { ranges: [[{ subnet: '10.244.1.0/24' }]], routes: [{ dst: '10.244.0.0/16' }] },
    });
  });
});

describe('calico addresses', () => {
  it('are given in turn, not given twice, and come back last', () => {
    const book = new AddressBook('10.244.1.0/24');
    expect([book.assign('a'), book.assign('b')]).toEqual(['10.244.1.1', '10.244.1.2']);
    book.release('a');
    expect(book.assign('c')).toBe('10.244.1.3');
    for (let count = 0; count < 252; count += 1) book.assign(`x${count}`);
    expect(book.assign('last')).toBe('10.244.1.1');
    expect(() => book.assign('more')).toThrow(/no free address/);
  });
});

describe('logs', () => {
  const options = (over: object) => ({
    follow: false,
    previous: false,
    timestamps: false,
    sinceSeconds: undefined,
    sinceTime: undefined,
    tailLines: undefined,
    limitBytes: undefined,
    signal: new AbortController().signal,
    ...over,
  });
  it('are lines, whole or by their tail, and end with the container when followed', async () => {
    const log = new ContainerLog();
    log.append('stdout', Buffer.from('one\ntw'));
    log.append('stderr', Buffer.from('err\n'));
    log.append('stdout', Buffer.from('o\nthree'));
    expect(await textOf(log.read(options({})))).toBe('one\nerr\ntwo\n');
    expect(await textOf(log.read(options({ tailLines: 1 })))).toBe('two\n');
    expect(await textOf(log.read(options({ limitBytes: 5 })))).toBe('one\ne');
    expect(await textOf(log.read(options({ timestamps: true, tailLines: 1 })))).toMatch(/^\d{4}-.*Z two\n$/);
    const followed = textOf(log.read(options({ follow: true, tailLines: 1 })));
    log.end();
    expect(await followed).toBe('two\nthree');
  });
});

describe('restarts', () => {
  it('the first is at once, then 10 s, 20 s and so on up to 5 minutes', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const record = new ContainerRecord({ name: 'c' }, 'main');
    const waits = Array.from({ length: 8 }, () => {
      record.backOff(100);
      return Math.round((record.notBefore - Date.now()) / 1000);
    });
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    record.backOff(700_000);
    expect(record.notBefore).toBeLessThanOrEqual(Date.now());
  });
});

it('quantities and Docker MAC addresses', () => {
  expect([quantity('100m'), quantity('1Ki'), quantity('2'), quantity('1e3')]).toEqual([0.1, 1024, 2, 1000]);
  expect(macOf('172.18.0.2')).toBe('02:42:ac:12:00:02');
});
