/** Checks that many kinds share (apimachinery util/validation; pkg/apis/core/validation). */
import { isIP } from 'node:net';
import { isObject, type Json } from '../json.ts';
import { badLabelKey, badLabelValue } from '../selectors.ts';
import { forbiddenField, invalidValue, required, unsupported, type Cause } from '../status.ts';

export const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

/** One of some values; absence is for the caller to mind. */
export const oneOf = (value: Json, values: readonly string[], path: string): Cause[] =>
  value === undefined || values.includes(value) ? [] : [unsupported(path, value, values)];

export const portNumber = (value: Json, path: string): Cause[] =>
  Number.isInteger(value) && value >= 1 && value <= 65_535
    ? []
    : [invalidValue(path, value, 'must be between 1 and 65535, inclusive')];

/** IANA service names: names of ports. */
export function portName(name: string): string[] {
  const wrong: string[] = [];
  if (name.length > 15) wrong.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name))
    wrong.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) wrong.push('must contain at least one letter (a-z)');
  if (name.includes('--')) wrong.push('must not contain consecutive hyphens');
  if (/^-|-$/.test(name)) wrong.push('must not begin or end with a hyphen');
  return wrong;
}

/** A port by number or by name. */
export function portOrName(value: Json, path: string): Cause[] {
  if (typeof value === 'string') return portName(value).map((why) => invalidValue(path, value, why));
  return portNumber(value, path);
}

export const notNegative = (value: Json, path: string): Cause[] =>
  value === undefined || value >= 0 ? [] : [invalidValue(path, value, 'must be greater than or equal to 0')];

export const ipAddress = (value: Json, path: string): Cause[] =>
  typeof value === 'string' && isIP(value)
    ? []
    : [invalidValue(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];

export const cidr = (value: Json, path: string): Cause[] => {
  const [address = '', bits = '', more] = String(value).split('/');
  const family = isIP(address);
  const sound =
    family > 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
  return sound
    ? []
    : [invalidValue(path, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')];
};

/** A metav1.LabelSelector. */
export function selectorCauses(selector: Json, path: string): Cause[] {
  if (!isObject(selector)) return [];
  const causes: Cause[] = [];
  for (const [key, value] of Object.entries(selector['matchLabels'] ?? {})) {
    const bad = badLabelKey(key);
    if (bad) causes.push(invalidValue(`${path}.matchLabels`, key, bad));
    const badValue = badLabelValue(String(value));
    if (badValue) causes.push(invalidValue(`${path}.matchLabels`, value, badValue));
  }
  for (const [i, one] of ((selector['matchExpressions'] as Json[] | undefined) ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`;
    switch (one.operator) {
      case 'In':
      case 'NotIn':
        if (!one.values?.length)
          causes.push(required(`${at}.values`, `must be specified when \`operator\` is 'In' or 'NotIn'`));
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (one.values?.length)
          causes.push(
            forbiddenField(
              `${at}.values`,
              "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
          );
        break;
      default:
        causes.push(invalidValue(`${at}.operator`, one.operator ?? '', 'not a valid selector operator'));
    }
    const bad = badLabelKey(String(one.key ?? ''));
    if (bad) causes.push(invalidValue(`${at}.key`, one.key ?? '', bad));
    for (const [j, value] of ((one.values as Json[] | undefined) ?? []).entries()) {
      const badValue = badLabelValue(String(value));
      if (badValue) causes.push(invalidValue(`${at}.values[${j}]`, value, badValue));
    }
  }
  return causes;
}

export const isEmptySelector = (selector: Json): boolean =>
  !selector ||
  (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);

/** Keys of ConfigMaps and Secrets: they become names of files. */
export function badDataKey(key: string): string | undefined {
  if (key.length > 253) return 'must be no more than 253 characters';
  if (!/^[-._a-zA-Z0-9]+$/.test(key))
    return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
  if (key === '.') return "must not be '.'";
  if (key === '..') return "must not be '..'";
  if (key.startsWith('..')) return "must not start with '..'";
  return undefined;
}
