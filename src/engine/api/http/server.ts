/** The HTTPS server of the API: listens where it is told to, authenticates, routes, answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { rmSync } from 'node:fs';
import { noSuchPath } from '../status.ts';
import { send, sendError, sendObject } from './answer.ts';
import { authenticate, authorize } from './authenticate.ts';
import type { Context } from './context.ts';
import { Discovery } from './discovery.ts';
import { openApi } from './openapi.ts';
import type { Identity } from './pki.ts';
import { ANONYMOUS, resourcePath, type Exchange, type User } from './request.ts';
import { serveResource } from './resources.ts';
import { ISSUER } from './tokens.ts';
import { upgradePod } from './streams/upgrade.ts';
import { serveSubresource } from './subresources.ts';
import { VERSION } from './version.ts';

/** Where to listen: a path of a unix socket, a socket that listens, or an address and port (0: any that is free). */
export type Listen =
  { readonly path: string } | { readonly fd: number } | { readonly host: string; readonly port: number };

/** How long the rest of a body that nobody wants is read before the connection is cut, in ms. */
const DRAINED_FOR = 2_000;

/** Reads what is left of a body, so that it is not taken for the next request, but not for ever. */
function drain(request: IncomingMessage): void {
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), DRAINED_FOR);
  cut.unref();
  request.on('end', () => clearTimeout(cut));
}

/** What is said with every answer about a deprecated API (KEP-1693; Endpoints: KEP-4974). */
const DEPRECATED = new Map([
  [' v1 endpoints', 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
]);

export class ApiServer {
  readonly #context: Context;
  readonly #identity: Identity;
  readonly #authority: string;
  readonly #discovery: Discovery;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Duplex>();

  /** @param authority PEM of the certificate that client certificates have to be signed by */
  constructor(context: Context, identity: Identity, authority: string) {
    this.#context = context;
    this.#identity = identity;
    this.#authority = authority;
    this.#discovery = new Discovery(context.registry.catalog);
  }

  /** Starts to listen; returns the port of a TCP socket, 0 of a unix socket. */
  listen(where: Listen): Promise<number> {
    const server = createServer({
      key: this.#identity.key,
      cert: this.#identity.certificate,
      ca: this.#authority,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      // Watches are long; clients end what they no longer want.
      requestTimeout: 0,
      keepAliveTimeout: 120_000,
    });
    server.on('request', (request, response) => void this.#serve(request, response));
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // Clients go away at any time.
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('tlsClientError', () => undefined);
    this.#servers.add(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const listening = () => {
        server.off('error', reject);
        server.on('error', (error) => this.#context.onError(error));
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      };
      if ('path' in where) {
        rmSync(where.path, { force: true });
        server.listen(where.path, listening);
      } else if ('fd' in where) server.listen({ fd: where.fd }, listening);
      else server.listen(where.port, where.host, listening);
    });
  }

  /** Stops listening and drops all connections. */
  async close(): Promise<void> {
    const all = [...this.#servers];
    this.#servers.clear();
    const closing = all.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closing);
  }

  #exchange(request: IncomingMessage, response: ServerResponse, user: User): Exchange {
    const target = request.url ?? '/';
    const at = target.indexOf('?');
    return {
      request,
      response,
      method: request.method ?? 'GET',
      path: at < 0 ? target : target.slice(0, at),
      query: new URLSearchParams(at < 0 ? '' : target.slice(at + 1)),
      user,
      warnings: [],
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    let exchange = this.#exchange(request, response, ANONYMOUS);
    try {
      const user = authenticate(request, this.#context.tokens);
      exchange = { ...exchange, user };
      authorize(user, exchange.path, exchange.method);
      await this.#route(exchange);
    } catch (error) {
      sendError(exchange, error, this.#context.onError);
      if (!request.complete) drain(request);
    }
  }

  async #route(exchange: Exchange): Promise<void> {
    const { path, method } = exchange;
    const { registry } = this.#context;
    const wanted = resourcePath(path);
    if (wanted) {
      const served = registry.catalog.served(wanted.group, wanted.version, wanted.plural);
      if (!served) throw noSuchPath();
      const deprecated = DEPRECATED.get(`${wanted.group} ${wanted.version} ${wanted.plural}`);
      if (deprecated) exchange.warnings.push(deprecated);
      if (wanted.subresource !== undefined) return serveSubresource(this.#context, exchange, served, wanted);
      return serveResource(this.#context, exchange, served, wanted);
    }
    if (method !== 'GET' && method !== 'HEAD') throw noSuchPath();
    const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
    const document = this.#discovery.find(trimmed, exchange.request.headers.accept);
    if (document) {
      if (document.etag) {
        exchange.response.setHeader('ETag', document.etag);
        exchange.response.setHeader('Vary', 'Accept');
        if (exchange.request.headers['if-none-match'] === document.etag) {
          exchange.response.writeHead(304).end();
          return;
        }
      }
      return send(exchange, 200, document.body, document.type);
    }
    return this.#plain(exchange, trimmed);
  }

  /** Paths that are no resources. */
  async #plain(exchange: Exchange, path: string): Promise<void> {
    const check = /^\/(healthz|livez|readyz)(\/[\w/.-]*)?$/.exec(path);
    if (check) {
      const verbose = exchange.query.has('verbose');
      return send(
        exchange,
        200,
        verbose ? `[+]ping ok\n[+]etcd ok\n${check[1]} check passed\n` : 'ok',
        'text/plain; charset=utf-8',
      );
    }
    switch (path) {
      case '/version':
        return sendObject(exchange, 200, VERSION);
      case '/':
        return sendObject(exchange, 200, {
          paths: [
            '/api',
            '/api/v1',
            '/apis',
            '/healthz',
            '/livez',
            '/openapi/v2',
            '/openapi/v3',
            '/readyz',
            '/version',
          ],
        });
      case '/openid/v1/jwks':
        return send(exchange, 200, JSON.stringify(this.#context.tokens.jwks()), 'application/jwk-set+json');
      case '/.well-known/openid-configuration':
        return sendObject(exchange, 200, {
          issuer: ISSUER,
          jwks_uri: `${ISSUER}/openid/v1/jwks`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
        });
    }
    const document = openApi(this.#context.registry.catalog, path, exchange.request.headers.accept);
    if (!document) throw noSuchPath();
    send(exchange, 200, document.body, document.type);
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => undefined);
    try {
      const user = authenticate(request, this.#context.tokens);
      const exchange = this.#exchange(request, undefined as unknown as ServerResponse, user);
      authorize(user, exchange.path, exchange.method);
      await upgradePod(this.#context, exchange, socket, head);
    } catch (error) {
      const { refuse } = await import('./streams/upgrade.ts');
      refuse(socket, error, this.#context.onError);
    }
  }
}
