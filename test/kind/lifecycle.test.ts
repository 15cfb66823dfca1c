/** Real clusters, made and removed: side by side, twice, and with the host's network as it was before. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kindBackend } from '../../src/cluster/kind/backend.ts';
import type { Cluster, Phase } from '../../src/cluster/port.ts';
import { foreignCluster } from '../../src/run/foreign.ts';
import { contract } from '../contract/cluster.ts';
import { hostNetwork, leftIn, ownFolders, whyNot } from './setup.ts';

const reason = await whyNot([2, 2]);

describe.skipIf(reason)(`kind clusters${reason ? ` (${reason})` : ''}`, () => {
  let before: Record<string, string>;
  let folders: ReturnType<typeof ownFolders>;
  let flannel: Cluster;
  let calico: Cluster;
  const phases: Phase[] = [];

  beforeAll(async () => {
    before = await hostNetwork();
    folders = ownFolders();
    flannel = await kindBackend.up({ name: 'f', cni: 'flannel', proxy: 'iptables', workers: 1 }, (phase) =>
      phases.push(phase),
    );
    calico = await kindBackend.up({ name: 'c', cni: 'calico-bgp', proxy: 'nftables', workers: 1 });
  });

  afterAll(async () => {
    await kindBackend.downAll();
    folders.remove();
  });

  it('tells its phases with their times', () => {
    const done = phases.filter(({ ms }) => ms !== undefined).map(({ id }) => id);
    expect(done).toEqual(['engine', 'image', 'boot', 'cni', 'ready']);
  });

  it('a second up of the same name says so and changes nothing', async () => {
    const again = kindBackend.up({ name: 'f', cni: 'flannel', proxy: 'iptables', workers: 1 });
    await expect(again).rejects.toMatchObject({ code: 'cluster-exists', fault: 'user' });
    expect((await kindBackend.find('f'))?.name).toBe('f');
  });

  contract('kind, flannel, iptables', () => Promise.resolve(flannel), {
    capabilities: ['NodeCommands', 'ClusterScope'],
  });
  contract('kind, calico-bgp, nftables', () => Promise.resolve(calico), {
    capabilities: ['NodeCommands', 'ClusterScope', 'NetworkPolicy', 'Bgp'],
  });

  it("as a stranger's cluster, tells by packets whether it enforces NetworkPolicy", async () => {
    const { signal } = new AbortController();
    for (const [cluster, enforces] of [
      [flannel, false],
      [calico, true],
    ] as const) {
      const stranger = await foreignCluster({ kubeconfig: cluster.kubeconfig }, signal, () => undefined);
      expect([...stranger.capabilities]).toEqual(enforces ? ['NetworkPolicy'] : []);
      await stranger.destroy();
    }
  });

  it('lists both, and removes the one that is named only', async () => {
    const listed = (await kindBackend.list()).map(({ name, state, cni, proxy }) => ({
      name,
      state,
      cni,
      proxy,
    }));
    expect(listed).toEqual([
      { name: 'c', state: 'running', cni: 'calico-bgp', proxy: 'nftables' },
      { name: 'f', state: 'running', cni: 'flannel', proxy: 'iptables' },
    ]);
    await flannel.destroy();
    expect(await kindBackend.find('f')).toBeUndefined();
    expect(existsSync(flannel.kubeconfig)).toBe(false);
    expect(await kindBackend.down('f')).toBe(false);
    expect((await calico.nodes()).length).toBe(2);
  });

  it('down --all leaves no process, no mount, and the host as it was', async () => {
    await kindBackend.downAll();
    expect(await kindBackend.list()).toEqual([]);
    expect(leftIn(folders.root)).toEqual({ processes: [], mounts: [] });
    expect(await hostNetwork()).toEqual(before);
  });
});
