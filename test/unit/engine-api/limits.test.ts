import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limitsPage } from '../../../scripts/engine-limits.ts';
import { unhonoured } from '../../../src/engine/api/coverage.ts';

test('docs/limits.md says what the table says (npx tsx scripts/engine-limits.ts >docs/limits.md)', () => {
  expect(readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8')).toBe(limitsPage());
});

test('paths are told with their indexes, in templates too', () => {
  const template = {
    spec: { hostPID: true, containers: [{ name: 'a' }, { name: 'b', resources: { limits: { cpu: '1' } } }] },
  };
  expect(unhonoured('Pod', template, 'spec.template').warnings.map((text) => text.split(':')[0])).toEqual([
    'spec.template.spec.hostPID',
    'spec.template.spec.containers[1].resources.limits',
  ]);
});
