/** The sockets of a name server: DNS on UDP and TCP, and CoreDNS' health, readiness and counters over HTTP. */
import type { Socket as UdpSocket } from 'node:dgram';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';

/** Opens sockets where the server lives, e.g. in a pod's network namespace. */
export interface DnsSockets {
  /** A UDP socket that is bound to the port on every address. */
  udp(port: number): Promise<UdpSocket>;
  /** Makes a server listen on the port on every address. */
  listen(server: Server, port: number): Promise<void>;
}

export type AnswerFunction = (query: Buffer, transport: 'udp' | 'tcp') => Buffer | undefined;

/** How long a TCP client may be silent, in ms. */
const IDLE_MS = 10_000;

/** Serves on port 53, with health on 8080, readiness on 8181 and counters on 9153. Returns how to stop. */
export async function serveDns(answer: AnswerFunction, sockets: DnsSockets): Promise<() => void> {
  const open = new Set<Socket>();
  const tcp = createTcpServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece]);
      // Each message stands behind its length in two bytes (RFC 1035, 4.2.2).
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        asked.tcp++;
        const reply = answer(received.subarray(2, end), 'tcp');
        received = received.subarray(end);
        if (!reply) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  });
  const asked = { udp: 0, tcp: 0 };
  const pages: Record<number, [path: string, page: () => string]> = {
    8080: ['/health', () => 'OK'],
    8181: ['/ready', () => 'OK'],
    9153: ['/metrics', () => metrics(asked)],
  };
  const http = Object.entries(pages).map(([port, [path, page]]) => ({
    port: Number(port),
    server: createHttpServer((request, response) => {
      const ok = request.url === path;
      response.writeHead(ok ? 200 : 404, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(ok ? page() : '404 page not found\n');
    }),
  }));

  const udp = await sockets.udp(53);
  udp.on('message', (message, { address, port }) => {
    asked.udp++;
    const reply = answer(message, 'udp');
    if (reply) udp.send(reply, port, address);
  });
  // An asker that went away is no concern of ours (ICMP port unreachable).
  udp.on('error', () => undefined);
  await sockets.listen(tcp, 53);
  for (const { server, port } of http) await sockets.listen(server, port);
  return () => {
    udp.close();
    tcp.close();
    for (const { server } of http) {
      server.close();
      server.closeAllConnections();
    }
    for (const socket of open) socket.destroy();
  };
}

/** In the text format of Prometheus, as CoreDNS' plugin of that name. */
function metrics(asked: Readonly<Record<'udp' | 'tcp', number>>): string {
  const name = 'coredns_dns_requests_total';
  const lines = Object.entries(asked).map(
    ([proto, count]) => `${name}{family="1",proto="${proto}",server="dns://:53",view="",zone="."} ${count}`,
  );
  return `# HELP ${name} Counter of DNS requests made per zone, protocol and family.\n# TYPE ${name} counter\n${lines.join('\n')}\n`;
}
