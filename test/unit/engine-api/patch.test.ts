import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copy, type JsonObject } from '../../../src/engine/api/json.ts';
import { jsonPatch } from '../../../src/engine/api/patch/json-patch.ts';
import { mergePatch } from '../../../src/engine/api/patch/merge.ts';
import { strategicPatch } from '../../../src/engine/api/patch/strategic.ts';
import { ApiError } from '../../../src/engine/client/types.ts';

const json = fc.jsonValue({ maxDepth: 4 });
const object = fc.dictionary(fc.string(), json);

/** Runs something that may only fail with an ApiError. */
function calm<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

test('RFC 7386: the examples of its appendix', () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) expect(mergePatch(target, patch)).toEqual(result);
});

describe('JSON patch', () => {
  test.each([
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ foo: ['a', 'b'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['a'] }],
    [{ 'a/b': 1 }, [{ op: 'replace', path: '/a~1b', value: 2 }], { 'a/b': 2 }],
    [{ a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
    [{ a: [1] }, [{ op: 'copy', from: '/a/0', path: '/a/-' }], { a: [1, 1] }],
  ])('%j with %j', (document, patch, result) => expect(jsonPatch(document, patch)).toEqual(result));

  test.each([
    [{ a: 1 }, [{ op: 'test', path: '/a', value: 2 }]],
    [{ a: 1 }, [{ op: 'remove', path: '/b' }]],
    [{ a: [1] }, [{ op: 'add', path: '/a/5', value: 1 }]],
    [{}, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]],
    [{}, [{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }]],
  ])('%j with %j is refused', (document, patch) =>
    expect(() => jsonPatch(document, patch)).toThrow(ApiError),
  );
});

describe('strategic merge patch', () => {
  const pod = {
    metadata: { finalizers: ['a', 'b'] },
    spec: {
      containers: [
        { name: 'x', image: '1', ports: [{ containerPort: 80 }] },
        { name: 'y', image: '2' },
      ],
      tolerations: [{ key: 'k' }],
    },
  };
  test('merges lists by their keys, and replaces those without', () => {
    expect(
      strategicPatch(
        pod,
        { spec: { containers: [{ name: 'y', image: '3' }], tolerations: [] } },
        'core.v1.Pod',
      ),
    ).toEqual({
      ...pod,
      spec: { containers: [pod.spec.containers[0], { name: 'y', image: '3' }], tolerations: [] },
    });
  });
  test('deletes an item, replaces a list, takes from a list of scalars, orders', () => {
    const patch = {
      metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] },
      spec: {
        '$setElementOrder/containers': [{ name: 'z' }, { name: 'y' }],
        containers: [
          { name: 'x', $patch: 'delete' },
          { name: 'z', image: '9' },
        ],
      },
    };
    expect(strategicPatch(pod, patch, 'core.v1.Pod')).toEqual({
      metadata: { finalizers: ['b', 'c'] },
      spec: {
        containers: [
          { name: 'z', image: '9' },
          { name: 'y', image: '2' },
        ],
        tolerations: [{ key: 'k' }],
      },
    });
    expect(
      strategicPatch(pod, { spec: { containers: [{ $patch: 'replace' }, { name: 'n' }] } }, 'core.v1.Pod')[
        'spec'
      ],
    ).toMatchObject({ containers: [{ name: 'n' }] });
  });
  test('$retainKeys drops what it does not name', () => {
    const deployment = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(strategicPatch(deployment, patch, 'apps.v1.Deployment')).toEqual({
      spec: { strategy: { type: 'Recreate' } },
    });
  });
});

test('no patch changes its target or a prototype, and each fails only with a Status', () => {
  fc.assert(
    fc.property(object, json, (target, patch) => {
      const before = copy(target);
      calm(() => mergePatch(target, patch));
      calm(() => jsonPatch(target, patch));
      if (typeof patch === 'object' && patch && !Array.isArray(patch))
        calm(() => strategicPatch({ spec: target }, { spec: patch } as JsonObject, 'core.v1.Pod'));
      expect(target).toEqual(before);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      expect(Object.keys(Object.prototype)).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('JSON patches of every shape fail only with a Status', () => {
  const path = fc.oneof(
    fc.string(),
    fc
      .array(fc.constantFrom('a', 'b', '0', '-', '~1', '__proto__'), { maxLength: 4 })
      .map((parts) => `/${parts.join('/')}`),
  );
  const operation = fc.record(
    {
      op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
      path,
      from: path,
      value: json,
    },
    { requiredKeys: ['op', 'path'] },
  );
  fc.assert(
    fc.property(
      fc.constantFrom({ a: { b: [1, { a: 2 }] } }, { b: [] }, { a: null }),
      fc.array(operation, { maxLength: 6 }),
      (document, patch) => {
        const before = copy(document);
        calm(() => jsonPatch(document, patch));
        expect(document).toEqual(before);
        expect(Object.keys(Object.prototype)).toEqual([]);
      },
    ),
    { numRuns: 1_000 },
  );
});
