/** The kind configuration of a cluster: ours, or the user's file with what the kit has to decide put over it. */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument, stringify } from 'yaml';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { ImageSet } from '../../offline/image-set.ts';
import type { UpOptions } from '../port.ts';
import { kindName } from './record.ts';

const API = 'kind.x-k8s.io/v1alpha4';

interface KindNode {
  role: string;
  [field: string]: unknown;
}
export interface KindConfig {
  kind: 'Cluster';
  apiVersion: string;
  name: string;
  networking: Record<string, unknown> & { podSubnet: string; serviceSubnet: string };
  nodes: KindNode[];
  [field: string]: unknown;
}

/**
 * The configuration to hand to `kind create cluster`.
 * @param port of the API server on 127.0.0.1
 * @param set offline image set: kubeadm is told its registry and tags
 * @throws PodlabError `bad-kind-config` naming file and line
 */
export function kindConfig(options: UpOptions, port: number, set: ImageSet | undefined): KindConfig {
  const given = options.config === undefined ? {} : read(options.config);
  const networking = (given['networking'] ?? {}) as Record<string, unknown>;
  const nodes = (given['nodes'] as KindNode[] | undefined) ?? [
    { role: 'control-plane' },
    ...Array.from({ length: options.workers }, () => ({ role: 'worker' })),
  ];
  const patches = (given['kubeadmConfigPatches'] as string[] | undefined) ?? [];
  return {
    ...given,
    kind: 'Cluster',
    apiVersion: API,
    name: kindName(options.name),
    networking: {
      podSubnet: '10.244.0.0/16',
      serviceSubnet: '10.96.0.0/16',
      ...networking,
      disableDefaultCNI: true,
      kubeProxyMode: options.proxy,
      apiServerAddress: '127.0.0.1',
      apiServerPort: port,
    },
    nodes,
    kubeadmConfigPatches: set ? [...patches, offlinePatch(set)] : patches,
  };
}

export const toYaml = (config: KindConfig): string => stringify(config);

function offlinePatch(set: ImageSet): string {
  const { imageRepository, dnsTag, etcdTag } = set.kubeadm;
  return stringify({
    kind: 'ClusterConfiguration',
    imageRepository,
    dns: { imageTag: dnsTag },
    etcd: { local: { imageTag: etcdTag } },
  });
}

function read(path: string): Record<string, unknown> {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    throw bad(path, (error as Error).message);
  }
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const wrong = document.errors[0];
  if (wrong) throw bad(`${path}:${lines.linePos(wrong.pos[0]).line}`, wrong.message.split('\n')[0] ?? '');
  const value = document.toJS() as unknown;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(path, 'not a mapping');
  const config = value as Record<string, unknown>;
  const at = (key: string) => {
    const node = document.get(key, true) as { range?: [number, number, number] } | undefined;
    return node?.range ? `${path}:${lines.linePos(node.range[0]).line}` : path;
  };
  if (config['kind'] !== 'Cluster') throw bad(at('kind'), 'kind must be Cluster');
  if (config['apiVersion'] !== API) throw bad(at('apiVersion'), `apiVersion must be ${API}`);
  for (const key of ['networking'])
    if (
      config[key] !== undefined &&
      (typeof config[key] !== 'object' || Array.isArray(config[key]) || config[key] === null)
    )
      throw bad(at(key), `${key} must be a mapping`);
  const nodes = config['nodes'];
  if (nodes !== undefined) {
    if (!Array.isArray(nodes)) throw bad(at('nodes'), 'nodes must be a list');
    for (const node of nodes as KindNode[]) {
      if (node === null || !['control-plane', 'worker'].includes(node.role))
        throw bad(at('nodes'), 'each node needs role: control-plane or role: worker');
    }
    const leaders = (nodes as KindNode[]).filter((node) => node.role === 'control-plane').length;
    if (leaders !== 1) throw bad(at('nodes'), `one control-plane node is needed, not ${leaders}`);
  }
  const patches = config['kubeadmConfigPatches'];
  if (
    patches !== undefined &&
    !(Array.isArray(patches) && patches.every((patch) => typeof patch === 'string'))
  )
    throw bad(at('kubeadmConfigPatches'), 'kubeadmConfigPatches must be a list of strings');
  const family = (config['networking'] as Record<string, unknown> | undefined)?.['ipFamily'];
  if (family !== undefined && family !== 'ipv4')
    throw bad(at('networking'), `ipFamily ${JSON.stringify(family)}: the kit's pod networks are ipv4`);
  return config;
}

const bad = (where: string, why: string) =>
  new PodlabError({
    code: 'bad-kind-config',
    fault: 'user',
    message: text(`${where}: ${why}`, `${where}：kind 配置有误（${why}）`),
    hint: text(
      'The format: https://kind.sigs.k8s.io/docs/user/configuration/ ; cluster-config/kind holds examples.',
      '格式见 https://kind.sigs.k8s.io/docs/user/configuration/ ，示例在 cluster-config/kind。',
    ),
  });
