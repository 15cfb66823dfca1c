/** What the running kernel can do for pod networks. Nothing is loaded or changed: files are read. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { text, type Text } from '../model/text.ts';
import type { Fact } from './fact.ts';

interface Feature {
  readonly id: string;
  /** Name of the module, as modprobe(8) wants it. */
  readonly module: string;
  /** Build option that holds it. */
  readonly option: string;
  /** Exists when it is loaded or built in. */
  readonly sign?: string;
  readonly use: Text;
  readonly weight: 'lack' | 'note';
}

const FEATURES: readonly Feature[] = [
  {
    id: 'vxlan',
    module: 'vxlan',
    option: 'CONFIG_VXLAN',
    use: text('flannel and calico-vxlan', 'flannel 与 calico-vxlan'),
    weight: 'lack',
  },
  {
    id: 'br-netfilter',
    module: 'br_netfilter',
    option: 'CONFIG_BRIDGE_NETFILTER',
    sign: '/proc/sys/net/bridge/bridge-nf-call-iptables',
    use: text('Services between pods of one node', '同节点 Pod 之间访问 Service'),
    weight: 'lack',
  },
  {
    id: 'nf-tables',
    module: 'nf_tables',
    option: 'CONFIG_NF_TABLES',
    use: text('kube-proxy, NetworkPolicy', 'kube-proxy、NetworkPolicy'),
    weight: 'lack',
  },
  {
    id: 'overlay',
    module: 'overlay',
    option: 'CONFIG_OVERLAY_FS',
    use: text('container images', '容器镜像'),
    weight: 'lack',
  },
  {
    id: 'ip-vs',
    module: 'ip_vs',
    option: 'CONFIG_IP_VS',
    sign: '/proc/net/ip_vs',
    use: text("kube-proxy's IPVS mode only", '仅 kube-proxy 的 IPVS 模式需要'),
    weight: 'note',
  },
  {
    id: 'ipip',
    module: 'ipip',
    option: 'CONFIG_NET_IPIP',
    use: text("calico's IPIP mode only", '仅 calico 的 IPIP 模式需要'),
    weight: 'note',
  },
  {
    id: 'wireguard',
    module: 'wireguard',
    option: 'CONFIG_WIREGUARD',
    use: text('encrypted pod networks only', '仅加密的 Pod 网络需要'),
    weight: 'note',
  },
];

/** Build options of the running kernel, or undefined where no file tells them. */
export function kernelOptions(): ReadonlyMap<string, string> | undefined {
  for (const [path, read] of [
    ['/proc/config.gz', (raw: Buffer) => gunzipSync(raw)],
    [`/boot/config-${release()}`, (raw: Buffer) => raw],
  ] as const) {
    if (!existsSync(path)) continue;
    try {
      const lines = read(readFileSync(path))
        .toString('utf8')
        .matchAll(/^(CONFIG_\w+)=(.+)$/gm);
      return new Map([...lines].map(([, name = '', value = '']) => [name, value]));
    } catch {
      continue; // /boot may be for root only.
    }
  }
  return undefined;
}

/** Whether modules.dep(5) of this kernel holds a module, as a file or built in. */
function moduleFile(module: string): boolean {
  return ['modules.dep', 'modules.builtin'].some((list) => {
    try {
      const names = readFileSync(`/lib/modules/${release()}/${list}`, 'utf8');
      return new RegExp(`/${module.replaceAll('_', '[-_]')}\\.ko`).test(names);
    } catch {
      return false;
    }
  });
}

/** Kernel features, one fact each. */
export function kernelFacts(): Fact[] {
  const options = kernelOptions();
  return FEATURES.map(({ id, module, option, sign, use, weight }) => {
    const title = text(`kernel: ${module}`, `内核：${module}`);
    const loaded = (sign !== undefined && existsSync(sign)) || existsSync(`/sys/module/${module}`);
    const value = options?.get(option);
    const how = loaded
      ? text('loaded', '已加载')
      : value === 'y'
        ? text('built in', '已内建')
        : value === 'm' || moduleFile(module)
          ? text('a module, loaded when needed', '模块，按需加载')
          : undefined;
    if (how !== undefined)
      return { id, title, state: 'ok', detail: text(`${how.en} (${use.en})`, `${how.zh}（${use.zh}）`) };
    return {
      id,
      title,
      state: options === undefined ? 'note' : weight,
      detail:
        options === undefined
          ? text(`not known (${use.en})`, `未知（${use.zh}）`)
          : text(`absent (${use.en})`, `没有（${use.zh}）`),
      // Of no use where the kernel was built without it, and the option then says so.
      mend: options === undefined ? `sudo modprobe ${module}` : undefined,
    };
  });
}
