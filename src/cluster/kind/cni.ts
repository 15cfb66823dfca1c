/** Pod networks: which manifest, and what stands in it. */
import { readFileSync } from 'node:fs';
import type { Cni } from '../port.ts';

/** Images of the pod networks, by full name. */
export interface CniImages {
  readonly flannel: { readonly flanneld: string; readonly plugin: string };
  readonly calico: { readonly node: string; readonly cni: string; readonly controllers: string };
}

export interface CniChoice {
  readonly cni: Cni;
  readonly podSubnet: string;
  readonly images: CniImages;
  /** Which iptables the nodes have: felix has to write into the same one. */
  readonly iptables: 'NFT' | 'Auto';
}

const manifest = (path: string) =>
  readFileSync(new URL(`../../../cluster-config/${path}`, import.meta.url), 'utf8');

/** Manifests to apply, in this order; custom resources need their definitions first. */
export function cniManifests(choice: CniChoice): readonly string[] {
  const { images, podSubnet: POD_SUBNET } = choice;
  switch (choice.cni) {
    case 'flannel':
    case 'flannel-host-gw':
      return [
        fill(manifest('flannel/flannel.yaml'), {
          POD_SUBNET,
          BACKEND: choice.cni === 'flannel' ? 'vxlan' : 'host-gw',
          FLANNELD_IMAGE: images.flannel.flanneld,
          FLANNEL_PLUGIN_IMAGE: images.flannel.plugin,
        }),
      ];
    case 'calico-bgp':
    case 'calico-vxlan': {
      const bgp = choice.cni === 'calico-bgp';
      return [
        manifest('calico/crds.yaml'),
        fill(manifest('calico/calico.yaml'), {
          POD_SUBNET,
          BACKEND: bgp ? 'bird' : 'vxlan',
          VXLAN: bgp ? 'Never' : 'Always',
          IPTABLES_BACKEND: choice.iptables,
          LIVE: `[/bin/calico-node, -felix-live${bgp ? ', -bird-live' : ''}]`,
          READY: `[/bin/calico-node, -felix-ready${bgp ? ', -bird-ready' : ''}]`,
          CALICO_NODE_IMAGE: images.calico.node,
          CALICO_CNI_IMAGE: images.calico.cni,
          CALICO_CONTROLLERS_IMAGE: images.calico.controllers,
        }),
      ];
    }
  }
}

/** Replaces every `${NAME}`; a name without a value is a defect of ours, and so is a value without its name. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  const used = new Set<string>();
  const body = template.replace(/^ *#.*\n/gm, '').replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`manifest: no value for ${name}`);
    used.add(name);
    return value;
  });
  const unused = Object.keys(values).filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`manifest: nothing asks for ${unused.join(', ')}`);
  return body;
}
