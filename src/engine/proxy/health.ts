/**
 * What kube-proxy answers over HTTP: the health of Services with a healthCheckNodePort (a load balancer asks it which
 * nodes have endpoints), its own health on :10256, and mode and metrics on 127.0.0.1:10249.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Server as NetServer } from 'node:net';

/** Makes a server listen inside the node's network namespace; `address` undefined means every address. */
export type Listen = (server: NetServer, port: number, address?: string) => Promise<void>;

interface Check {
  readonly server: Server;
  readonly port: number;
  localEndpoints: number;
}

export class HealthServers {
  private readonly checks = new Map<string, Check>();
  private own: Server[] = [];
  private syncedAt = new Date();

  constructor(
    private readonly listen: Listen,
    private readonly mode: string,
    private readonly log: (line: string) => void,
  ) {}

  /** Starts what does not depend on Services. */
  async start(): Promise<void> {
    await this.serve(10_256, undefined, (request, response) => {
      const ok = request.url === '/healthz' || request.url === '/livez';
      const now = new Date().toISOString();
      response.writeHead(ok ? 200 : 404, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
      });
      response.end(
        ok ? `{"lastUpdated": "${this.syncedAt.toISOString()}","currentTime": "${now}"}` : undefined,
      );
    });
    await this.serve(10_249, '127.0.0.1', (request, response) => {
      const body = { '/proxyMode': this.mode, '/healthz': 'ok' }[request.url ?? ''];
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(body ?? '404 page not found\n');
    });
  }

  /** Opens and closes ports so that they are those of `wanted`: `namespace/name` -> port and number of local ready endpoints. */
  async update(wanted: ReadonlyMap<string, { port: number; localEndpoints: number }>): Promise<void> {
    this.syncedAt = new Date();
    for (const [service, check] of this.checks)
      if (wanted.get(service)?.port !== check.port) {
        this.checks.delete(service);
        close(check.server);
      }
    for (const [service, { port, localEndpoints }] of wanted) {
      const known = this.checks.get(service);
      if (known) {
        known.localEndpoints = localEndpoints;
        continue;
      }
      const [namespace, name] = service.split('/');
      const check: Check = {
        port,
        localEndpoints,
        server: createServer((_, response) => {
          response.writeHead(check.localEndpoints > 0 ? 200 : 503, {
            'content-type': 'application/json',
            'x-content-type-options': 'nosniff',
            'x-load-balancing-endpoint-weight': `${check.localEndpoints}`,
          });
          const body = {
            service: { namespace, name },
            localEndpoints: check.localEndpoints,
            serviceProxyHealthy: true,
          };
          response.end(JSON.stringify(body, undefined, '\t'));
        }),
      };
      try {
        await this.listen(check.server, port);
        this.checks.set(service, check);
      } catch (error) {
        this.log(`Failed to start healthcheck of ${service} on port ${port}: ${String(error)}`);
      }
    }
  }

  stop(): void {
    for (const { server } of this.checks.values()) close(server);
    this.own.forEach(close);
    this.checks.clear();
    this.own = [];
  }

  private async serve(port: number, address: string | undefined, answer: RequestListener): Promise<void> {
    const server = createServer(answer);
    try {
      await this.listen(server, port, address);
      this.own.push(server);
    } catch (error) {
      this.log(`Failed to listen on port ${port}: ${String(error)}`);
    }
  }
}

function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}
