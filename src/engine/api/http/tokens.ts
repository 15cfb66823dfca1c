/** Service account tokens: JSON web tokens (RFC 7519), signed with ES256. */
import { createHash, generateKeyPairSync, randomUUID, sign, verify, type KeyObject } from 'node:crypto';
import { isObject, type JsonObject } from '../json.ts';
import type { User } from './request.ts';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export interface TokenSubject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The pod that the token is bound to. */
  readonly pod?: { readonly name: string; readonly uid: string } | undefined;
  readonly node?: { readonly name: string; readonly uid?: string } | undefined;
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export class Tokens {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.#keyId = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64url');
  }

  /** The key set that /openid/v1/jwks shows. */
  jwks(): object {
    return {
      keys: [{ use: 'sig', alg: 'ES256', kid: this.#keyId, ...this.#publicKey.export({ format: 'jwk' }) }],
    };
  }

  /** @param seconds until it expires */
  issue(subject: TokenSubject, seconds: number, audiences: readonly string[] = [ISSUER]): string {
    const now = Math.floor(Date.now() / 1_000);
    const { namespace, name, uid, pod, node } = subject;
    const body = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode({
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: ISSUER,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        ...(node ? { node } : {}),
        ...(pod ? { pod } : {}),
        serviceaccount: { name, uid },
      },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${name}`,
    })}`;
    const signature = sign('sha256', Buffer.from(body), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return `${body}.${signature.toString('base64url')}`;
  }

  /** Who a token speaks for; undefined when it is not ours or has expired. */
  verify(token: string): (User & { claims: JsonObject }) | undefined {
    const [head, body, signature, extra] = token.split('.');
    if (!head || !body || !signature || extra !== undefined) return undefined;
    try {
      const right = verify(
        'sha256',
        Buffer.from(`${head}.${body}`),
        { key: this.#publicKey, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      );
      if (!right) return undefined;
      const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString());
      if (!isObject(claims) || claims['exp'] * 1_000 < Date.now()) return undefined;
      const { namespace, serviceaccount } = claims['kubernetes.io'] as JsonObject;
      return {
        name: String(claims['sub']),
        uid: serviceaccount.uid,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        claims,
      };
    } catch {
      return undefined;
    }
  }
}
