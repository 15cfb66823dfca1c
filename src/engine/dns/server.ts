/** The sockets of a name server: DNS on UDP and TCP, and CoreDNS' health and readiness over HTTP. */
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

/** Serves on port 53, with health on 8080 and readiness on 8181. Returns how to stop. */
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
        const reply = answer(received.subarray(2, end), 'tcp');
        received = received.subarray(end);
        if (!reply) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  });
  const http = [8080, 8181].map((port) => ({
    port,
    server: createHttpServer((request, response) => {
      const ok = request.url === (port === 8080 ? '/health' : '/ready');
      response.writeHead(ok ? 200 : 404, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(ok ? 'OK' : '404 page not found\n');
    }),
  }));

  const udp = await sockets.udp(53);
  udp.on('message', (message, { address, port }) => {
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
