/** The name server asked by a resolver of its own kind: c-ares, which is Node's, over real sockets. */
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gr, type KubeObject } from '../../../src/engine/client/types.ts';
import { createAnswer, createCoreDns } from '../../../src/engine/dns/index.ts';
import { MemoryClient } from './memory-client.ts';

const ready = (ip: string, hostname?: string, isReady = true) => ({
  addresses: [ip],
  ...(hostname ? { hostname } : {}),
  conditions: { ready: isReady },
});

async function cluster(): Promise<MemoryClient> {
  const client = new MemoryClient();
  const put = (resource: string, object: Omit<KubeObject, 'apiVersion' | 'kind'>, group = '') =>
    client.create(gr(resource, group), { apiVersion: 'v1', kind: resource, ...object } as KubeObject);
  for (const name of ['default', 'kube-system']) await put('namespaces', { metadata: { name } });
  const services: [string, object][] = [
    [
      'kube-system/kube-dns',
      { clusterIP: '10.96.0.10', ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
    ],
    [
      'default/web',
      {
        clusterIP: '10.96.0.80',
        ports: [
          { name: 'http', port: 80 },
          { name: 'alt', port: 81 },
        ],
      },
    ],
    ['default/db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] }],
    ['default/empty', { clusterIP: 'None', ports: [{ port: 80 }] }],
    ['default/inside', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }],
    ['default/outside', { type: 'ExternalName', externalName: 'example.org' }],
  ];
  for (const [path, spec] of services) {
    const [namespace = '', name = ''] = path.split('/');
    await put('services', { metadata: { namespace, name }, spec });
  }
  const endpoints = [
    ready('10.244.1.5', 'db-0'),
    ready('10.244.2.6', 'db-1'),
    ready('10.244.2.7', 'db-2', false),
  ];
  for (let i = 10; i < 60; i++) endpoints.push(ready(`10.244.3.${i}`));
  await put(
    'endpointslices',
    {
      metadata: { namespace: 'default', name: 'db-x', labels: { 'kubernetes.io/service-name': 'db' } },
      addressType: 'IPv4',
      ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
      endpoints,
    },
    'discovery.k8s.io',
  );
  return client;
}

/** A query as it stands on the wire. */
function query(name: string, type: number): Buffer {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Buffer.from([0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
}

describe('CoreDNS', () => {
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  let dns: ReturnType<typeof createCoreDns>;
  let tcpPort = 0;
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'answered',
      (error) => error.code as string,
    );

  beforeAll(async () => {
    dns = createCoreDns({
      client: await cluster(),
      node: 'n1',
      sockets: {
        udp: async (port) => {
          const socket = createSocket('udp4');
          await new Promise<void>((resolve) => socket.bind(port === 53 ? 0 : port, '127.0.0.1', resolve));
          resolver.setServers([`127.0.0.1:${socket.address().port}`]);
          return socket;
        },
        listen: async (server: Server, port) => {
          await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
          if (port === 53) tcpPort = (server.address() as AddressInfo).port;
        },
      },
    });
    await dns.start();
  });
  afterAll(() => dns.stop());

  it('answers with the address of a Service', async () => {
    expect(await resolver.resolve4('web.default.svc.cluster.local', { ttl: true })).toEqual([
      { address: '10.96.0.80', ttl: 30 },
    ]);
    expect(await code(resolver.resolve6('web.default.svc.cluster.local'))).toBe('ENODATA');
    for (const none of ['nope.default.svc', 'web.nowhere.svc', 'empty.default.svc', 'nonsense'])
      expect(await code(resolver.resolve4(`${none}.cluster.local`))).toBe('ENOTFOUND');
    for (const between of ['svc', 'default.svc'])
      expect(await code(resolver.resolve4(`${between}.cluster.local`))).toBe('ENODATA');
  });

  it('answers with ready pods of a headless Service, and with their names', async () => {
    expect(await resolver.resolve4('db-1.db.default.svc.cluster.local')).toEqual(['10.244.2.6']);
    expect(await resolver.resolve4('10-244-3-10.db.default.svc.cluster.local')).toEqual(['10.244.3.10']);
    expect(await code(resolver.resolve4('db-2.db.default.svc.cluster.local'))).toBe('ENOTFOUND');
  });

  it('answers SRV, PTR, NS, SOA and the names of pods', async () => {
    expect(await resolver.resolveSrv('_http._tcp.web.default.svc.cluster.local')).toMatchObject([
      { name: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 100 },
    ]);
    expect(await resolver.resolveSrv('web.default.svc.cluster.local')).toHaveLength(2);
    expect(await resolver.reverse('10.96.0.80')).toEqual(['web.default.svc.cluster.local']);
    expect(await resolver.reverse('10.244.1.5')).toEqual(['db-0.db.default.svc.cluster.local']);
    expect(await resolver.resolveNs('cluster.local')).toEqual(['kube-dns.kube-system.svc.cluster.local']);
    expect(await resolver.resolveSoa('cluster.local')).toMatchObject({
      nsname: 'ns.dns.cluster.local',
      minttl: 30,
    });
    expect(await resolver.resolve4('10-244-9-9.default.pod.cluster.local')).toEqual(['10.244.9.9']);
    expect(await code(resolver.resolve4('10-244-9-9.nowhere.pod.cluster.local'))).toBe('ENOTFOUND');
  });

  it('follows ExternalName inside the cluster, and refuses what is outside', async () => {
    expect(await resolver.resolve4('inside.default.svc.cluster.local')).toEqual(['10.96.0.80']);
    expect(await resolver.resolveCname('outside.default.svc.cluster.local')).toEqual(['example.org']);
    expect(await code(resolver.resolve4('example.org'))).toBe('EREFUSED');
    expect(await code(resolver.resolvePtr('1.2.0.192.in-addr.arpa'))).toBe('EREFUSED');
  });

  it('cuts long answers by UDP, and gives all of them by TCP', async () => {
    const { answer, stop } = createAnswer({ client: await cluster() });
    const name = 'db.default.svc.cluster.local';
    const short = answer(query(name, 1), 'udp') as Buffer;
    expect(short.length).toBeLessThanOrEqual(512);
    expect(short.readUInt16BE(2) & 0x200).toBe(0x200);
    const long = answer(query(name, 1), 'tcp') as Buffer;
    expect(long.readUInt16BE(2) & 0x200).toBe(0);
    expect(long.readUInt16BE(6)).toBe(52);
    stop();

    const reply = await new Promise<Buffer>((resolve, reject) => {
      const socket = connect(tcpPort, '127.0.0.1', () => {
        const message = query(name, 1);
        socket.write(Buffer.concat([Buffer.from([0, message.length]), message]));
      });
      let all = Buffer.alloc(0);
      socket.on('error', reject);
      socket.on('data', (piece) => {
        all = Buffer.concat([all, piece]);
        if (all.length < 2 || all.length < 2 + all.readUInt16BE(0)) return;
        socket.destroy();
        resolve(all.subarray(2));
      });
    });
    expect(reply.readUInt16BE(6)).toBe(52);
  });

  it('keeps the case of the question, says that it is the authority, and gives the SOA with an absence', async () => {
    const { answer, stop } = createAnswer({ client: await cluster() });
    const mixed = answer(query('WeB.default.svc.Cluster.Local', 1), 'udp') as Buffer;
    expect(mixed.toString('latin1')).toContain('WeB');
    expect(mixed.readUInt16BE(2)).toBe(0x8500); // QR, AA, RD and no RA
    const absent = answer(query('nope.default.svc.cluster.local', 1), 'udp') as Buffer;
    expect(absent.readUInt16BE(2) & 15).toBe(3);
    expect(absent.readUInt16BE(8)).toBe(1);
    expect(absent.toString('latin1')).toContain('hostmaster');
    expect(answer(Buffer.from('rubbish'), 'udp')).toBeUndefined();
    expect(
      (answer(Buffer.concat([query('a.b', 1).subarray(0, 15)]), 'udp') as Buffer).readUInt16BE(2) & 15,
    ).toBe(1);
    stop();
  });
});
