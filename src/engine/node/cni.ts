/**
 * The caller's side of the Container Network Interface (CNI specification 1.0.0): finds the network's
 * configuration on the node, runs its plugins in order for ADD and backwards for DEL, as containerd does.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../exec/run.ts';
import type { NetNamespace } from '../linux/netns.ts';
import { NODE_ENV, type Machine } from './machine.ts';

/** One plugin's configuration; open, each plugin has its own keys. */
export interface PluginConf {
  type: string;
  capabilities?: Record<string, boolean>;
  [key: string]: unknown;
}

export interface NetworkConf {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly PluginConf[];
}

/** A CNI result (specification, section 5), as far as it is read. */
export interface CniResult {
  cniVersion?: string;
  interfaces?: { name: string; mac?: string; sandbox?: string }[];
  ips?: { address: string; gateway?: string; interface?: number }[];
  routes?: { dst: string; gw?: string }[];
  dns?: unknown;
}

/** What an attachment is about. */
export interface Attachment {
  /** The pod sandbox's id: the key under which plugins keep their books. */
  readonly containerId: string;
  /** The pod's namespace as a path on the node, e.g. /run/netns/cni-…. */
  readonly netns: string;
  /** The same, for plugins that live in the engine. */
  readonly net: NetNamespace;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly portMappings: readonly PortMapping[];
}

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostIP: string;
}

/** A plugin that lives in the engine, with a plugin's contract. */
export type InProcessPlugin = (
  command: 'ADD' | 'DEL',
  conf: PluginConf & { name: string; cniVersion: string; prevResult?: CniResult },
  attachment: Attachment,
  machine: Machine,
  call: PluginCaller,
) => Promise<CniResult | undefined>;

/** Runs a plugin by its name: how one plugin delegates to another. */
export type PluginCaller = (
  command: 'ADD' | 'DEL',
  conf: PluginConf & { name: string; cniVersion: string },
) => Promise<CniResult | undefined>;

/** Where the configuration and the plugins are, on a node and then on the system. */
const CONF_FOLDER = '/etc/cni/net.d';
const OWN_PLUGINS = '/opt/cni/bin';
const SYSTEM_PLUGINS = ['/usr/lib/cni', '/usr/libexec/cni', '/opt/cni/bin'];

/** The error object of a plugin (specification, section 5: code, msg, details). */
export class CniError extends Error {}

/**
 * The network that a node's pods join: of the files in /etc/cni/net.d the first in lexical order.
 * @returns undefined when there is none: the node is not ready then
 */
export function readNetwork(machine: Machine): NetworkConf | undefined {
  const folder = machine.path(CONF_FOLDER);
  if (!existsSync(folder)) return undefined;
  const files = readdirSync(folder).filter((file) => /\.(conflist|conf|json)$/.test(file));
  for (const file of files.sort()) {
    try {
      const conf = JSON.parse(readFileSync(join(folder, file), 'utf8')) as NetworkConf & PluginConf;
      if (Array.isArray(conf.plugins) && conf.plugins.length > 0) return conf;
      if (typeof conf.type === 'string')
        return { cniVersion: conf.cniVersion ?? '0.2.0', name: conf.name, plugins: [conf] };
    } catch {
      // A broken file is passed over, as libcni does when it loads a folder.
    }
  }
  return undefined;
}

export class Cni {
  readonly #machine: Machine;
  readonly #inProcess: ReadonlyMap<string, InProcessPlugin>;

  constructor(machine: Machine, inProcess: ReadonlyMap<string, InProcessPlugin>) {
    this.#machine = machine;
    this.#inProcess = inProcess;
  }

  /** Attaches a pod. @throws CniError with the plugin's own words */
  async add(network: NetworkConf, attachment: Attachment): Promise<CniResult> {
    let result: CniResult | undefined;
    for (const plugin of network.plugins) {
      if (!this.#concerns(plugin, attachment)) continue;
      result = await this.#plugin('ADD', network, plugin, attachment, result);
    }
    if (result === undefined) throw new CniError(`network ${network.name}: no plugin gave a result`);
    return result;
  }

  /** Detaches a pod; plugins have to take it as done when there is nothing left. */
  async del(network: NetworkConf, attachment: Attachment, result: CniResult | undefined): Promise<void> {
    const failures: unknown[] = [];
    for (const plugin of [...network.plugins].reverse()) {
      if (!this.#concerns(plugin, attachment)) continue;
      // One that fails must not keep the others from cleaning up.
      await this.#plugin('DEL', network, plugin, attachment, result).catch((error: unknown) =>
        failures.push(error),
      );
    }
    if (failures.length > 0) throw failures[0];
  }

  /** portmap hands on what it got when a pod has no host ports: then we need not start it. */
  #concerns(plugin: PluginConf, attachment: Attachment): boolean {
    if (plugin.type === 'portmap') return attachment.portMappings.length > 0;
    return plugin.type !== 'bandwidth';
  }

  async #plugin(
    command: 'ADD' | 'DEL',
    network: NetworkConf,
    plugin: PluginConf,
    attachment: Attachment,
    previous: CniResult | undefined,
  ): Promise<CniResult | undefined> {
    const { capabilities, ...conf } = plugin;
    const full = { ...conf, name: network.name, cniVersion: network.cniVersion } as PluginConf & {
      name: string;
      cniVersion: string;
      prevResult?: CniResult;
    };
    if (capabilities?.['portMappings'] && attachment.portMappings.length > 0)
      full['runtimeConfig'] = { portMappings: attachment.portMappings };
    if (previous !== undefined) full.prevResult = previous;
    return this.#call(command, full, attachment);
  }

  async #call(
    command: 'ADD' | 'DEL',
    conf: PluginConf & { name: string; cniVersion: string; prevResult?: CniResult },
    attachment: Attachment,
  ): Promise<CniResult | undefined> {
    const machine = this.#machine;
    const own = join(OWN_PLUGINS, conf.type);
    const inProcess = this.#inProcess.get(conf.type);
    if (inProcess !== undefined && !existsSync(machine.path(own)))
      return inProcess(command, conf, attachment, machine, (order, delegate) =>
        this.#call(order, delegate, attachment),
      );
    const program = [own, ...SYSTEM_PLUGINS.map((folder) => join(folder, conf.type))].find((path) =>
      existsSync(machine.path(path)),
    );
    if (program === undefined)
      throw new CniError(`failed to find plugin "${conf.type}" in path [${OWN_PLUGINS}]`);
    const env: NodeJS.ProcessEnv = {
      ...NODE_ENV,
      CNI_COMMAND: command,
      CNI_CONTAINERID: attachment.containerId,
      CNI_NETNS: attachment.netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: [OWN_PLUGINS, ...SYSTEM_PLUGINS].join(':'),
      CNI_ARGS: [
        'IgnoreUnknown=1',
        `K8S_POD_NAMESPACE=${attachment.pod.namespace}`,
        `K8S_POD_NAME=${attachment.pod.name}`,
        `K8S_POD_INFRA_CONTAINER_ID=${attachment.containerId}`,
        `K8S_POD_UID=${attachment.pod.uid}`,
      ].join(';'),
    };
    const ran = await machine.net.in(() =>
      run(machine.argv([program]), { env, input: JSON.stringify(conf), timeout: 60_000 }),
    );
    if (!ran.ok)
      throw new CniError(`plugin type="${conf.type}" failed (${command.toLowerCase()}): ${why(ran)}`);
    return ran.stdout.trim() === '' ? undefined : (JSON.parse(ran.stdout) as CniResult);
  }
}

function why(ran: Awaited<ReturnType<typeof run>>): string {
  try {
    const told = JSON.parse(ran.stdout) as { msg?: string; details?: string };
    if (told.msg) return told.details ? `${told.msg}; ${told.details}` : told.msg;
  } catch {
    // Not the error object that the specification asks for: tell what there is.
  }
  return ran.broken ?? ((ran.stderr || ran.stdout).trim() || `exit code ${ran.code}`);
}
