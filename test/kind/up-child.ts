/** `up-child.ts NAME CNI`: an `up` to be killed. Prints each phase as it begins. */
import { kindBackend } from '../../src/cluster/kind/backend.ts';
import type { Cni } from '../../src/cluster/port.ts';

const [name = '', cni = 'flannel'] = process.argv.slice(2);
await kindBackend.up({ name, cni: cni as Cni, proxy: 'iptables', workers: 0 }, ({ id, ms }) => {
  if (ms === undefined) console.log(id);
});
