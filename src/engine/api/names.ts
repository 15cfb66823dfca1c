/** The rules of names (apimachinery util/validation, RFC 1035 and 1123). Each returns what is wrong, or undefined. */

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export function badDnsLabel(name: string): string | undefined {
  if (name.length > 63) return 'must be no more than 63 bytes';
  if (!LABEL.test(name))
    return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  return undefined;
}

/** Services: they become DNS labels that must start with a letter. */
export function badDns1035Label(name: string): string | undefined {
  if (name.length > 63) return 'must be no more than 63 bytes';
  if (!LABEL_1035.test(name))
    return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
  return undefined;
}

export function badDnsSubdomain(name: string): string | undefined {
  if (name.length > 253) return 'must be no more than 253 bytes';
  if (!SUBDOMAIN.test(name))
    return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
  return undefined;
}

/** RBAC names: anything that can be one segment of a path. */
export function badPathSegment(name: string): string | undefined {
  if (name === '.' || name === '..') return `may not be '${name}'`;
  if (name.includes('/')) return "may not contain '/'";
  if (name.includes('%')) return "may not contain '%'";
  return undefined;
}

/** The letters of generated suffixes: no vowels, so that no words come out (apimachinery util/rand). */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

export function randomSuffix(length = 5): string {
  let suffix = '';
  for (let i = 0; i < length; i++) suffix += LETTERS[Math.floor(Math.random() * LETTERS.length)];
  return suffix;
}

/** base + random suffix, cut so that the whole stays a DNS label of 63 bytes. */
export const generatedName = (base: string): string => base.slice(0, 58) + randomSuffix();

/** Time as metav1.Time is written: whole seconds, UTC. */
export const timestamp = (ms = Date.now()): string => new Date(ms).toISOString().slice(0, 19) + 'Z';

/** metav1.MicroTime. */
export const microTime = (ms = Date.now()): string => new Date(ms).toISOString().slice(0, 23) + '000Z';
