import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalQuantity, quantityValue } from '../../../src/engine/api/schema/quantity.ts';

test.each([
  ['1000m', '1'],
  ['1024Mi', '1Gi'],
  ['0.5', '500m'],
  ['100m', '100m'],
  ['1.5Gi', '1536Mi'],
  ['1e3', '1e3'],
  ['12e6', '12e6'],
  ['1000k', '1M'],
  ['0', '0'],
  ['-5', '-5'],
  ['128974848', '128974848'],
  ['512Ki', '512Ki'],
])('%s is %s', (text, canonical) => expect(canonicalQuantity(text)).toBe(canonical));

test.each(['', 'x', '1x', '1 Gi', '--1', '1ee3', 'Gi', '0x10'])('%j is none', (text) =>
  expect(canonicalQuantity(text)).toBeUndefined(),
);

test('the canonical form is a fixed point and has the same value', () => {
  const suffix = fc.constantFrom('', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), suffix, (number, unit) => {
      const canonical = canonicalQuantity(`${number}${unit}`) as string;
      expect(canonicalQuantity(canonical)).toBe(canonical);
      expect(quantityValue(canonical)).toBeCloseTo(quantityValue(`${number}${unit}`));
    }),
  );
});
