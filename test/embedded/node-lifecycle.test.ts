/** Embedded clusters, made and removed: side by side, in every CNI mode, killed at any moment, the host as before. */
import { existsSync, readFileSync, rmSync, mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedBackend } from '../../src/cluster/embedded/backend.ts';
import { clusterFolder } from '../../src/cluster/embedded/folder.ts';
import { embeddedPackagesFact, userNamespaceFact } from '../../src/doctor/host.ts';
import type { Cluster } from '../../src/cluster/port.ts';
import { contract } from '../contract/cluster.ts';
import { hostNetwork, leftIn } from '../kind/setup.ts';

const lacks = [await embeddedPackagesFact(), await userNamespaceFact()].find(({ state }) => state === 'lack');
const reason = lacks?.detail.en;

/** Processes of the sandbox by their parents: the relay's children, grandchildren and so on. */
function family(pid: number): number[] {
  const of = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      of.set(parent, [...(of.get(parent) ?? []), Number(name)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  const below = (one: number): number[] => (of.get(one) ?? []).flatMap((child) => [child, ...below(child)]);
  return [pid, ...below(pid)];
}

const relayOf = (name: string): number =>
  Number(readFileSync(join(clusterFolder(name), 'pid'), 'utf8').split(' ')[0]);

describe.skipIf(reason)(`embedded clusters${reason ? ` (${reason})` : ''}`, () => {
  let root: string;
  let before: Record<string, string>;
  let flannel: Cluster;
  let calico: Cluster;

  beforeAll(async () => {
    before = await hostNetwork();
    root = mkdtempSync('/tmp/pe-');
    process.env['PODLAB_RUN'] = join(root, 'r');
    process.env['PODLAB_STATE'] = join(root, 's');
    [flannel, calico] = await Promise.all([
      embeddedBackend.up({ name: 'f', cni: 'flannel', proxy: 'iptables', workers: 2 }),
      embeddedBackend.up({ name: 'c', cni: 'calico-bgp', proxy: 'nftables', workers: 2 }),
    ]);
  });

  afterAll(async () => {
    await embeddedBackend.downAll();
    rmSync(root, { recursive: true, force: true });
  });

  contract('embedded, flannel, iptables', async () => flannel, {
    capabilities: ['NodeCommands', 'ClusterScope'],
  });
  contract('embedded, calico-bgp, nftables', async () => calico, {
    capabilities: ['NodeCommands', 'ClusterScope', 'NetworkPolicy', 'Bgp'],
  });

  it('a second up of the same name says so and changes nothing', async () => {
    const again = embeddedBackend.up({ name: 'f', cni: 'flannel', proxy: 'iptables', workers: 1 });
    await expect(again).rejects.toMatchObject({ code: 'cluster-exists', fault: 'user' });
    expect((await embeddedBackend.find('f'))?.name).toBe('f');
  });

  it('a packet has no way out of the sandbox', async () => {
    const [node] = await flannel.nodes();
    const ran = await flannel.onNode(node!.name, ['ping', '-c1', '-W1', '192.0.2.1']);
    expect(ran.stdout).toContain('Destination Net Unreachable');
  });

  it.each(['relay', 'unshare', 'init', 'engine'])('SIGKILL of %s leaves no process', async (which) => {
    await embeddedBackend.up({ name: 'k', cni: 'flannel', proxy: 'iptables', workers: 1 });
    const all = family(relayOf('k'));
    const victim = all[['relay', 'unshare', 'init', 'engine'].indexOf(which)]!;
    process.kill(victim, 'SIGKILL');
    const folder = clusterFolder('k');
    for (let waited = 0; waited < 10_000 && leftIn(folder).processes.length > 0; waited += 20)
      await delay(20);
    expect(leftIn(folder)).toEqual({ processes: [], mounts: [] });
    expect(await embeddedBackend.find('k')).toBeUndefined();
    await embeddedBackend.down('k');
    expect(existsSync(folder)).toBe(false);
  });

  it('lists both, removes the one that is named only, then all, and the host is as it was', async () => {
    expect((await embeddedBackend.list()).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'c running',
      'f running',
    ]);
    await flannel.destroy();
    expect(await embeddedBackend.find('f')).toBeUndefined();
    expect((await calico.nodes()).length).toBe(3);
    await embeddedBackend.downAll();
    expect(await embeddedBackend.list()).toEqual([]);
    expect(leftIn(root)).toEqual({ processes: [], mounts: [] });
    expect(await hostNetwork()).toEqual(before);
  });
});
