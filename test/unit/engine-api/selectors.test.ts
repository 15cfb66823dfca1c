import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseFieldSelector, parseLabelSelector } from '../../../src/engine/api/selectors.ts';
import { ApiError } from '../../../src/engine/client/types.ts';

test.each([
  ['a=b', { a: 'b' }, true],
  ['a==b', { a: 'c' }, false],
  ['a!=b', {}, true],
  ['a', { a: '' }, true],
  ['!a', { a: '' }, false],
  ['a in (x, y)', { a: 'y' }, true],
  ['a notin (x,y)', {}, true],
  ['a notin (x,y),b', { a: 'x', b: '' }, false],
  ['n>3', { n: '4' }, true],
  ['n<3', { n: '4' }, false],
  ['a in ()', { a: '' }, true],
  ['app.kubernetes.io/name = web , tier', { 'app.kubernetes.io/name': 'web', tier: 'x' }, true],
  ['a=', { a: '' }, true],
  ['', {}, true],
  ['constructor', {}, false],
])('%j takes %j: %s', (selector, labels: Record<string, string>, takes) =>
  expect(parseLabelSelector(selector)(labels)).toBe(takes),
);

test.each(['a in b', 'a in (b', '=a', 'a b', 'a,,b', 'A/b/c=d', 'x n (a)', 'a=b c', '-a=b', 'n>x'])(
  '%j is refused',
  (selector) => expect(() => parseLabelSelector(selector)).toThrow(ApiError),
);

test('field selectors split at commas and signs, with escapes', () => {
  expect(parseFieldSelector('a.b=c,d!=e\\,f,g==h\\=')).toEqual([
    { field: 'a.b', value: 'c', equal: true },
    { field: 'd', value: 'e,f', equal: false },
    { field: 'g', value: 'h=', equal: true },
  ]);
  expect(() => parseFieldSelector('abc')).toThrow(ApiError);
});

test('no text makes the parsers fail otherwise than with a Status', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({
      unit: fc.constantFrom('a', ' ', ',', '=', '!', '(', ')', 'in', 'notin', '<', '>', '\\', '/'),
    }),
  );
  fc.assert(
    fc.property(text, (selector) => {
      for (const parse of [parseLabelSelector, parseFieldSelector])
        try {
          parse(selector);
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError);
        }
    }),
    { numRuns: 3_000 },
  );
});
