/** Quantities of resources (apimachinery's resource.Quantity) as numbers. */

const UNITS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** `100m` is 0.1, `64Mi` is 67108864; what cannot be read is 0. */
export function quantity(text: string | number | undefined): number {
  if (typeof text === 'number') return text;
  const [, number = '0', unit = ''] = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(text ?? '') ?? [];
  return Number(number) * (UNITS[unit] ?? 0);
}
