import { expect, test } from 'vitest';
import { applyConfiguration, trackUpdate, type Manager } from '../../../src/engine/api/fields/manage.ts';
import { FieldSet } from '../../../src/engine/api/fields/set.ts';
import { shapeOfType } from '../../../src/engine/api/fields/shape.ts';
import { copy } from '../../../src/engine/api/json.ts';
import type { KubeObject } from '../../../src/engine/client/types.ts';

const SHAPE = shapeOfType('apps.v1.Deployment');
const by = (manager: string, operation: Manager['operation'] = 'Apply'): Manager => ({
  manager,
  operation,
  apiVersion: 'apps/v1',
  subresource: '',
});
const deployment = (spec: object, labels?: Record<string, string>): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', namespace: 'default', ...(labels ? { labels } : {}) },
  spec,
});
const apply = (live: KubeObject | undefined, config: KubeObject, manager: string, force = false) =>
  applyConfiguration(live, config, by(manager), SHAPE, force, true);

const container = (name: string, rest = {}) => ({ name, image: 'nginx', ...rest });
const template = (...containers: object[]) => ({ spec: { containers } });

test('an applier owns what it applied and takes away what it no longer applies', () => {
  const first = apply(
    undefined,
    deployment({ replicas: 2, template: template(container('a'), container('b')) }, { x: 'y' }),
    'one',
  );
  const second = apply(first, deployment({ template: template(container('a')) }), 'one');
  expect(second.spec).toEqual({ template: template(container('a')) });
  expect(second.metadata.labels).toBeUndefined();
});

test('two appliers conflict over a value, share one that is equal, and force takes it over', () => {
  const first = apply(undefined, deployment({ replicas: 2 }), 'one');
  expect(() => apply(first, deployment({ replicas: 3 }), 'two')).toThrow(
    'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
  );
  const shared = apply(first, deployment({ replicas: 2 }), 'two');
  const released = apply(shared, deployment({}), 'one');
  expect(released.spec.replicas).toBe(2);
  const taken = apply(first, deployment({ replicas: 3 }), 'two', true);
  expect(taken.spec.replicas).toBe(3);
  // The first no longer owns it, so that it does not take it away.
  expect(apply(taken, deployment({}), 'one').spec.replicas).toBe(3);
});

test('an update takes fields over, and an applier hears of it by name, version and time', () => {
  const first = apply(undefined, deployment({ template: template(container('a')) }), 'one');
  const changed = copy(first);
  changed.spec.template.spec.containers[0].image = 'busybox';
  trackUpdate(changed, first, by('kubectl-edit', 'Update'), SHAPE, true);
  expect(() => apply(changed, deployment({ template: template(container('a')) }), 'one')).toThrow(
    /conflict with "kubectl-edit" using apps\/v1 at .*: \.spec\.template\.spec\.containers\[name="a"\]\.image/,
  );
});

test('items of others stay in a list, in their place', () => {
  const ports = (...numbers: number[]) =>
    numbers.map((containerPort) => ({ containerPort, protocol: 'TCP' }));
  const first = apply(
    undefined,
    deployment({ template: template(container('a', { ports: ports(1, 2) })) }),
    'one',
  );
  const second = apply(first, deployment({ template: template({ name: 'a', ports: ports(3) }) }), 'two');
  expect(
    second.spec.template.spec.containers[0].ports
      .map((port: { containerPort: number }) => port.containerPort)
      .sort(),
  ).toEqual([1, 2, 3]);
  const third = apply(second, deployment({ template: template(container('a', { ports: ports(2) })) }), 'one');
  expect(
    third.spec.template.spec.containers[0].ports
      .map((port: { containerPort: number }) => port.containerPort)
      .sort(),
  ).toEqual([2, 3]);
});

test('FieldsV1 survives the way to JSON and back', () => {
  const set = FieldSet.of(
    deployment({ replicas: 1, template: template(container('a')) }, { l: 'm' }),
    SHAPE,
    true,
  );
  const json = set.toJson();
  expect(FieldSet.fromJson(json).equals(set)).toBe(true);
  expect(json).toMatchObject({
    'f:spec': {
      'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:image': {} } } } },
    },
  });
});
