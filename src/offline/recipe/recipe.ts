/** All steps of the image set in an order in which each stands after those that it needs, and the set's key. */
import { keysOf, type Step } from '../steps.ts';
import type { Versions } from '../versions.ts';
import { componentStep } from './components.ts';
import { debianSteps } from './debian.ts';
import { goSteps } from './go.ts';
import { nodeStep } from './node.ts';

export const recipe = (v: Versions, work: string): readonly Step[] => [
  ...goSteps(v, work),
  ...debianSteps(v, work),
  componentStep(v, work),
  nodeStep(v, work),
];

/** The set's key: that of the node image, which everything else goes into. */
export function setKey(v: Versions): string {
  const key = keysOf(recipe(v, '')).get('node');
  if (key === undefined) throw new TypeError('no step makes the node image');
  return key;
}

/** Files of a finished set: path in the set to `[step, file]`. */
export const SET_FILES: Readonly<Record<string, readonly [step: string, file: string]>> = {
  'bin/kind': ['go-kind', 'bin/kind'],
  'bin/kubectl': ['go-kubernetes', 'bin/kubectl'],
  'bin/calicoctl': ['go-calico', 'bin/calicoctl'],
  'bin/podlab-runc': ['go-podlab-runc', 'bin/podlab-runc'],
  'images/node.tar': ['node', 'node.tar'],
};
