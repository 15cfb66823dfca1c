import { expect, test } from 'vitest';
import { judgeImport } from '../../../eslint.doors.mjs';

test.each([
  ['src/model/row.ts', '../exec/run.ts'],
  ['src/engine/proxy/rules.ts', '../../model/text.ts'],
  ['checks/connect.ts', '../src/engine/client/types.ts'],
  ['checks/connect.ts', '../src/exec/run.ts'],
  ['src/oracle/policy.ts', '../../checks/connect.ts'],
  ['src/cluster/kind.ts', 'node:child_process'],
  ['src/run/stage.ts', '@kubernetes/client-node'],
  ['src/run/verify.ts', '../cli/main.ts'],
  ['src/docker/engine.ts', 'zx'],
])('%s may not import %s', (file, source) => {
  expect(judgeImport(file, source)).toBeTypeOf('string');
});

test.each([
  ['src/exec/run.ts', 'node:child_process'],
  ['src/kube/kube.ts', '@kubernetes/client-node'],
  ['src/cli/main.ts', 'commander'],
  ['src/engine/node/kubelet.ts', '../../exec/run.ts'],
  ['checks/experiment.ts', '../src/cluster/port.ts'],
  ['src/model/row.ts', './text.ts'],
])('%s may import %s', (file, source) => {
  expect(judgeImport(file, source)).toBeUndefined();
});
