/** resource.Quantity: numbers with decimal or binary suffixes, in the canonical form that the API shows. */

const FORM = /^([+-]?)(\d+\.?\d*|\.\d+)(n|u|m|k|Ki|Mi|Gi|Ti|Pi|Ei|M|G|T|P|E|[eE][+-]?\d+)?$/;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];

interface Parsed {
  /** In billionths (nano), the finest that a quantity knows; rounded up as upstream. */
  readonly nano: bigint;
  readonly form: 'binary' | 'decimal' | 'exponent';
}

function parse(text: string): Parsed | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, sign, digits = '', suffix = ''] = match;
  const [whole = '', part = ''] = digits.split('.');
  let power = 0;
  let factor = 1n;
  let form: Parsed['form'] = 'decimal';
  if (/^[eE][+-]?\d/.test(suffix)) {
    power = Number(suffix.slice(1));
    form = 'exponent';
  } else if (suffix.endsWith('i')) {
    factor = 1024n ** BigInt(BINARY.indexOf(suffix));
    form = 'binary';
  } else power = (DECIMAL.indexOf(suffix) - 3) * 3;
  if (Math.abs(power) > 30 || digits.length > 40) return undefined;
  const shift = 9 + power - part.length;
  const units = BigInt((whole + part).replace(/^0+(?=\d)/, '') || '0') * factor;
  const nano = shift >= 0 ? units * 10n ** BigInt(shift) : ceil(units, 10n ** BigInt(-shift));
  return { nano: sign === '-' ? -nano : nano, form };
}

const ceil = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** The canonical text, or undefined when it is no quantity. */
export function canonicalQuantity(text: string): string | undefined {
  const parsed = parse(text);
  if (!parsed) return undefined;
  const { nano, form } = parsed;
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const size = nano < 0n ? -nano : nano;
  const billion = 10n ** 9n;
  // Below 1024 and with fractions a binary quantity is shown as a decimal one.
  if (form === 'binary' && size % billion === 0n && size / billion >= 1024n) {
    let value = size / billion;
    let step = 0;
    while (value % 1024n === 0n && step < BINARY.length - 1) {
      value /= 1024n;
      step++;
    }
    return `${sign}${value}${BINARY[step]}`;
  }
  let value = size;
  let step = 0;
  while (value % 1000n === 0n && step < DECIMAL.length - 1) {
    value /= 1000n;
    step++;
  }
  if (form === 'exponent') {
    const power = (step - 3) * 3;
    return `${sign}${value}${power === 0 ? '' : `e${power}`}`;
  }
  return `${sign}${value}${DECIMAL[step]}`;
}

/** A quantity as a number, e.g. `100m` -> 0.1; 0 when it is none. */
export const quantityValue = (text: string): number => Number(parse(text)?.nano ?? 0n) / 1e9;
