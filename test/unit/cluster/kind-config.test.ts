import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cniManifests } from '../../../src/cluster/kind/cni.ts';
import { kindConfig } from '../../../src/cluster/kind/config.ts';
import { checkName } from '../../../src/cluster/kind/record.ts';
import { CNIS, type UpOptions } from '../../../src/cluster/port.ts';
import { parseAllDocuments } from 'yaml';

const wanted: UpOptions = { name: 'lab', cni: 'flannel', proxy: 'nftables', workers: 2 };
const file = (content: string) => {
  const path = join(mkdtempSync(join(tmpdir(), 'kind-config-')), 'kind.yaml');
  writeFileSync(path, content);
  return path;
};
const HEAD = 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n';

describe('kind configuration', () => {
  it('says what the kit decides', () => {
    const config = kindConfig(wanted, 6443, undefined);
    expect(config.name).toBe('podlab-lab');
    expect(config.nodes.map(({ role }) => role)).toEqual(['control-plane', 'worker', 'worker']);
    expect(config.networking).toMatchObject({
      disableDefaultCNI: true,
      kubeProxyMode: 'nftables',
      apiServerPort: 6443,
    });
  });

  it("keeps the user's nodes and subnets", () => {
    const config = kindConfig(
      {
        ...wanted,
        config: fileURLToPath(new URL('../../../cluster-config/kind/three-nodes.yaml', import.meta.url)),
        workers: 0,
      },
      6443,
      undefined,
    );
    expect(config.nodes).toHaveLength(3);
    expect(config.networking.podSubnet).toBe('10.244.0.0/16');
  });

  it.each([
    ['a file that is not there', undefined, 'ENOENT'],
    ['no YAML', `${HEAD}nodes: [\n`, ':'],
    ['another kind', 'kind: Pod\napiVersion: v1\n', ':1: kind must be Cluster'],
    ['another version', 'kind: Cluster\napiVersion: v1\n', ':2: apiVersion'],
    ['a node without role', `${HEAD}nodes:\n  - image: x\n`, ':4: each node'],
    [
      'two control planes',
      `${HEAD}nodes: [{role: control-plane}, {role: control-plane}]\n`,
      ':3: one control-plane',
    ],
    ['no control plane', `${HEAD}nodes: [{role: worker}]\n`, ':3: one control-plane node is needed, not 0'],
    ['IPv6', `${HEAD}networking: {ipFamily: dual}\n`, 'ipFamily'],
    ['patches that are no strings', `${HEAD}kubeadmConfigPatches: [{a: b}]\n`, 'list of strings'],
  ])('refuses %s, naming where', (_what, content, told) => {
    const config = content === undefined ? '/no/such/kind.yaml' : file(content);
    let error: { code: string; fault: string; text: { en: string; zh: string } } | undefined;
    try {
      kindConfig({ ...wanted, config }, 1, undefined);
    } catch (thrown) {
      error = thrown as typeof error;
    }
    expect(error).toMatchObject({ code: 'bad-kind-config', fault: 'user' });
    expect(error?.text.en).toContain(told);
    expect(error?.text.zh).toContain(config);
  });

  it.each(['', 'Lab', '1lab', 'a-', 'a'.repeat(21), 'x/y'])('refuses the name %j', (name) => {
    expect(() => checkName(name)).toThrow();
  });
});

describe('pod network manifests', () => {
  const images = {
    flannel: { flanneld: 'flanneld:1', plugin: 'plugin:1' },
    calico: { node: 'node:1', cni: 'cni:1', controllers: 'controllers:1' },
  };

  it.each(CNIS)('%s: valid YAML without a blank', (cni) => {
    const all = cniManifests({ cni, podSubnet: '10.9.0.0/16', images, iptables: 'NFT' }).join('\n---\n');
    expect(all).not.toContain('${');
    const documents = parseAllDocuments(all).map((one) => one.toJS() as { kind: string });
    expect(documents.filter(({ kind }) => kind === 'DaemonSet')).toHaveLength(1);
    expect(all).toContain('10.9.0.0/16');
  });
});
