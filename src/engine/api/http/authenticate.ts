/** Who sends a request: by client certificate, by bearer token, or nobody. */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { unauthorized } from '../status.ts';
import { ApiError } from '../../client/types.ts';
import { ANONYMOUS, type User } from './request.ts';
import type { Tokens } from './tokens.ts';

const known = new WeakMap<object, User>();

/** By the certificate's CN (name) and O (groups), as kube-apiserver's x509 authenticator. */
function byCertificate(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  const cached = known.get(socket);
  if (cached) return cached;
  const { subject } = socket.getPeerCertificate();
  if (!subject?.CN) return undefined;
  const organizations: unknown = subject.O;
  const groups = [organizations].flat().filter((group): group is string => typeof group === 'string');
  const user = { name: String(subject.CN), groups: [...groups, 'system:authenticated'] };
  known.set(socket, user);
  return user;
}

/** @throws ApiError 401 for a token that is not ours */
export function authenticate(request: IncomingMessage, tokens: Tokens): User {
  const byTls = byCertificate(request.socket as TLSSocket);
  if (byTls) return byTls;
  const header = request.headers.authorization;
  if (header) {
    const token = /^Bearer\s+(\S+)$/i.exec(header)?.[1];
    const user = token === undefined ? undefined : tokens.verify(token);
    if (!user) throw unauthorized();
    return user;
  }
  return webSocketToken(request, tokens) ?? ANONYMOUS;
}

/** Browsers cannot set headers on WebSockets: the token comes as a subprotocol (apiserver's websocket authenticator). */
function webSocketToken(request: IncomingMessage, tokens: Tokens): User | undefined {
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const found = String(request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((word) => word.trim())
    .find((word) => word.startsWith(prefix));
  if (!found) return undefined;
  const user = tokens.verify(Buffer.from(found.slice(prefix.length), 'base64url').toString());
  if (!user) throw unauthorized();
  return user;
}

/** What those who say nothing of themselves may see: health and version (the role system:public-info-viewer). */
const PUBLIC = new Set([
  '/healthz',
  '/livez',
  '/readyz',
  '/version',
  '/version/',
  '/healthz/',
  '/livez/',
  '/readyz/',
]);

/** @throws ApiError 403 */
export function authorize(user: User, path: string, method: string): void {
  if (user !== ANONYMOUS || PUBLIC.has(path)) return;
  throw new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `forbidden: User "system:anonymous" cannot ${method.toLowerCase()} path ${JSON.stringify(path)}`,
    details: {},
  });
}
