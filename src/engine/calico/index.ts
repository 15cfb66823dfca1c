/** calico for the engine: one `CalicoNode` (component `calico-node`) a node. */
export { CalicoNode, type CalicoInit, type CalicoMode } from './agent.ts';
export { vethName } from './names.ts';
export type { NodeProcess } from './bird.ts';
export type { NodeExec } from './write.ts';
