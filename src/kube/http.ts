/** HTTP to the API server: one pool, client-node's credentials, raw answers. */
import {
  Agent as HttpsAgent,
  request as httpsRequest,
  type RequestOptions as NodeRequestOptions,
} from 'node:https';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { KubeConfig } from '@kubernetes/client-node';

/** What the API answered. */
export interface ApiReply {
  readonly status: number;
  readonly text: string;
  /** The body parsed, when it is JSON. */

  readonly json: any;
  /** Milliseconds until the whole answer was there. */
  readonly ms: number;
  /** `Warning:` headers (RFC 7234 section 5.5), texts only. */
  readonly warnings: readonly string[];
}

export interface RequestOptions {
  readonly body?: object | string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds; 30 000 when not said. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** There was no answer at all: refused, reset, timed out. */
export class ApiUnreachable extends Error {
  constructor(what: string, cause: unknown) {
    super(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'ApiUnreachable';
  }
}

/** Connections kept open at once. */
const POOL = 32;

export class Http {
  readonly #base: URL;
  readonly #options: NodeRequestOptions;
  readonly #agent: HttpsAgent | HttpAgent;

  private constructor(base: URL, options: NodeRequestOptions) {
    this.#base = base;
    const pool = { keepAlive: true, maxSockets: POOL, scheduling: 'lifo' as const };
    // Credentials are the agent's, so that its connections are told apart by nothing but the host.
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, headers } = options;
    this.#agent =
      base.protocol === 'https:'
        ? new HttpsAgent({ ...pool, ca, cert, key, pfx, passphrase, rejectUnauthorized, servername })
        : new HttpAgent(pool);
    this.#options = { headers };
  }

  static async open(config: KubeConfig): Promise<Http> {
    const options: NodeRequestOptions = {};
    await config.applyToHTTPSOptions(options);
    return new Http(new URL(config.getCurrentCluster()!.server), options);
  }

  close(): void {
    this.#agent.destroy();
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<ApiReply> {
    const began = process.hrtime.bigint();
    const response = await this.#send(method, path, options);
    const pieces: Buffer[] = [];
    try {
      for await (const piece of response) pieces.push(piece as Buffer);
    } catch (cause) {
      throw new ApiUnreachable(`${method} ${path}`, cause);
    }
    const body = Buffer.concat(pieces).toString('utf8');
    const warning = response.headers['warning'];
    return {
      status: response.statusCode ?? 0,
      text: body,
      json: response.headers['content-type']?.includes('json') ? parse(body) : undefined,
      ms: Number((process.hrtime.bigint() - began) / 1_000_000n),
      warnings:
        warning === undefined
          ? []
          : [...warning.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]!),
    };
  }

  /** Reads an answer line by line until it ends or `signal` ends it. */
  async lines(path: string, signal: AbortSignal, onLine: (line: string) => void): Promise<void> {
    try {
      const response = await this.#send('GET', path, { signal, timeout: 0 });
      let rest = '';
      response.setEncoding('utf8');
      for await (const piece of response) {
        const lines = (rest + piece).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line) onLine(line);
      }
    } catch (cause) {
      if (!signal.aborted)
        throw cause instanceof ApiUnreachable ? cause : new ApiUnreachable(`GET ${path}`, cause);
    }
  }

  #send(method: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
    const body =
      options.body === undefined || typeof options.body === 'string'
        ? options.body
        : JSON.stringify(options.body);
    const prefix = this.#base.pathname === '/' ? '' : this.#base.pathname.replace(/\/$/, '');
    const timeout = options.timeout ?? 30_000;
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) => reject(new ApiUnreachable(`${method} ${path}`, cause));
      const send = this.#base.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(
        {
          agent: this.#agent as HttpsAgent,
          host: this.#base.hostname,
          port: this.#base.port || (this.#base.protocol === 'https:' ? 443 : 80),
          path: prefix + path,
          method,
          signal: options.signal,
          headers: {
            accept: 'application/json',
            'user-agent': 'podlab',
            ...(this.#options.headers as Record<string, string> | undefined),
            ...(body === undefined
              ? {}
              : {
                  'content-type': options.contentType ?? 'application/json',
                  'content-length': Buffer.byteLength(body),
                }),
            ...options.headers,
          },
        },
        resolve,
      );
      request.on('error', fail);
      if (timeout > 0)
        request.setTimeout(timeout, () => request.destroy(new Error(`no answer within ${timeout} ms`)));
      request.end(body);
    });
  }
}

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};
