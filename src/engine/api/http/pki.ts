/**
 * The cluster's certificates (X.509 v3, RFC 5280), written as DER by hand: no library, no process, a few milliseconds.
 * Keys are ECDSA P-256.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

const tlv = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const size = body.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: Uint8Array[]): Buffer => tlv(0x30, ...parts);
const set = (...parts: Uint8Array[]): Buffer => tlv(0x31, ...parts);
const octets = (bytes: Uint8Array): Buffer => tlv(0x04, bytes);
const bits = (bytes: Uint8Array, unused = 0): Buffer => tlv(0x03, Buffer.from([unused]), bytes);
const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text));
const explicit = (number: number, ...parts: Uint8Array[]): Buffer => tlv(0xa0 + number, ...parts);

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tlv(0x06, Buffer.from(bytes));
}

/** GeneralizedTime from 2050 on, UTCTime before (RFC 5280, 4.1.2.5). */
const time = (ms: number): Buffer => {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return new Date(ms).getUTCFullYear() < 2050
    ? tlv(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : tlv(0x18, Buffer.from(`${digits}Z`));
};

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));

function distinguished(name: Name): Buffer {
  const attribute = (type: string, value: string) => set(sequence(oid(type), utf8(value)));
  return sequence(
    ...(name.organization ? [attribute('2.5.4.10', name.organization)] : []),
    attribute('2.5.4.3', name.commonName),
  );
}

const extension = (id: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(oid(id), ...(critical ? [tlv(0x01, Buffer.from([0xff]))] : []), octets(value));

const ipBytes = (address: string): Buffer => {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [left = '', right] = address.split('::');
  const head = left ? left.split(':') : [];
  const tail = right ? right.split(':') : [];
  const groups =
    right === undefined
      ? head
      : [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]));
};

export interface Name {
  readonly commonName: string;
  readonly organization?: string;
}

/** A certificate with its key, both PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Identity {
  readonly name: Name;
  readonly keyObject: KeyObject;
  readonly keyId: Buffer;
}

interface Wanted {
  readonly subject: Name;
  readonly use: 'authority' | 'server' | 'client';
  /** DNS names and addresses of a server. */
  readonly names?: readonly string[];
}

const YEAR = 365 * 86_400_000;

const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;

function certify(
  wanted: Wanted,
  publicKey: KeyObject,
  issuer: Name,
  issuerKey: KeyObject,
  issuerId: Buffer,
): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const now = Date.now();
  const usage = wanted.use === 'authority' ? bits(Buffer.from([0xa4]), 2) : bits(Buffer.from([0xa0]), 5);
  const extensions = [
    extension('2.5.29.15', true, usage),
    extension('2.5.29.14', false, octets(keyIdOf(publicKey))),
    extension('2.5.29.35', false, sequence(tlv(0x80, issuerId))),
  ];
  if (wanted.use === 'authority')
    extensions.push(extension('2.5.29.19', true, sequence(tlv(0x01, Buffer.from([0xff])))));
  else {
    extensions.push(extension('2.5.29.19', true, sequence()));
    const purpose = wanted.use === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2';
    extensions.push(extension('2.5.29.37', false, sequence(oid(purpose))));
  }
  if (wanted.names)
    extensions.push(
      extension(
        '2.5.29.17',
        false,
        sequence(
          ...wanted.names.map((name) =>
            isIP(name) ? tlv(0x87, ipBytes(name)) : tlv(0x82, Buffer.from(name)),
          ),
        ),
      ),
    );
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x01;
  const body = sequence(
    explicit(0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, serial),
    ECDSA_SHA256,
    distinguished(issuer),
    // An hour back, for clocks that differ.
    sequence(time(now - 3_600_000), time(now + 10 * YEAR)),
    distinguished(wanted.subject),
    spki,
    explicit(3, sequence(...extensions)),
  );
  return pem('CERTIFICATE', sequence(body, ECDSA_SHA256, bits(sign('sha256', body, issuerKey))));
}

/** SHA-1 of the public key, RFC 5280, 4.2.1.2 (1). */
const keyIdOf = (key: KeyObject): Buffer =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }).subarray(-65))
    .digest();

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyText = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

export function newAuthority(commonName: string): Authority {
  const { publicKey, privateKey } = newKey();
  const name = { commonName };
  const keyId = keyIdOf(publicKey);
  const certificate = certify({ subject: name, use: 'authority' }, publicKey, name, privateKey, keyId);
  return { certificate, key: keyText(privateKey), name, keyObject: privateKey, keyId };
}

export function newIdentity(authority: Authority, wanted: Wanted): Identity {
  const { publicKey, privateKey } = newKey();
  return {
    certificate: certify(wanted, publicKey, authority.name, authority.keyObject, authority.keyId),
    key: keyText(privateKey),
  };
}
