/**
 * flannel's CNI plugin: it owns no packets, it turns the node's subnet into a configuration of the bridge plugin
 * (flannel-io/cni-plugin, README: "flannel plugin reads /run/flannel/subnet.env and delegates").
 * The delegate is kept under /var/lib/cni/flannel, because at deletion the subnet may have changed.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { CniError, type InProcessPlugin, type PluginConf } from '../node/cni.ts';

export const SUBNET_FILE = '/run/flannel/subnet.env';
const DATA_FOLDER = '/var/lib/cni/flannel';

type Conf = PluginConf & { name: string; cniVersion: string };

export const flannelPlugin: InProcessPlugin = async (command, conf, attachment, machine, call) => {
  const record = `${DATA_FOLDER}/${attachment.containerId}`;
  if (command === 'DEL') {
    const path = machine.path(record);
    if (!existsSync(path)) return undefined;
    const delegate = JSON.parse(readFileSync(path, 'utf8')) as Conf;
    await call('DEL', delegate);
    rmSync(path, { force: true });
    return undefined;
  }
  const file = machine.path(SUBNET_FILE);
  if (!existsSync(file))
    throw new CniError(
      `plugin type="flannel" failed (add): loadFlannelSubnetEnv failed: open ${SUBNET_FILE}: no such file or directory`,
    );
  const delegate = delegateOf(conf, parseSubnet(readFileSync(file, 'utf8')));
  machine.writeFile(record, JSON.stringify(delegate));
  return call('ADD', delegate);
};

function parseSubnet(content: string): Record<string, string> {
  return Object.fromEntries(
    content
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** What the real plugin hands to bridge: masquerading is the bridge's only when flanneld does not do it. */
export function delegateOf(conf: Conf, subnet: Record<string, string>): Conf {
  return {
    type: 'bridge',
    ipMasq: subnet['FLANNEL_IPMASQ'] !== 'true',
    isGateway: true,
    mtu: Number(subnet['FLANNEL_MTU']),
    ...(conf['delegate'] as object | undefined),
    name: conf.name,
    cniVersion: conf.cniVersion,
    ipam: {
      type: 'host-local',
      ranges: [[{ subnet: subnet['FLANNEL_SUBNET']?.replace(/\.\d+\//, '.0/') }]],
      routes: [{ dst: subnet['FLANNEL_NETWORK'] }],
    },
  };
}
