/** `podlab up [NAME]`: makes a cluster and waits until it is ready. */
import { Option } from 'commander';
import { CNIS, PROXIES, type Cni, type Proxy } from '../../cluster/port.ts';
import { paste } from '../../exec/run.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import { clusterOption, DEFAULT_NAME, type AddCommand } from '../frame.ts';
import { interruptSignal } from '../interrupt.ts';
import { phaseListener } from '../render/phases.ts';

interface UpFlags {
  readonly cluster: string;
  readonly cni: Cni;
  readonly proxy: Proxy;
  readonly workers: number;
  readonly config?: string;
}

/** Most workers that one machine is asked to hold. */
const MOST_WORKERS = 20;

function workerCount(words: string): number {
  const count = Number(words);
  if (/^\d+$/.test(words) && count <= MOST_WORKERS) return count;
  throw new PodlabError({
    code: 'usage',
    fault: 'user',
    message: text(`"${words}" is no number of workers.`, `“${words}”不是有效的节点数。`),
    hint: text(
      `A whole number from 0 to ${MOST_WORKERS}: --workers 2`,
      `请输入 0 到 ${MOST_WORKERS} 的整数：--workers 2`,
    ),
  });
}

export const addUp: AddCommand = (program, frame) => {
  const { t } = frame;
  program
    .command('up')
    .description(t(text('make a cluster and wait until it is ready', '创建集群并等待其就绪')))
    .argument('[name]', t(text('its name', '集群名称')), DEFAULT_NAME)
    .addOption(clusterOption(frame))
    .addOption(
      new Option('--cni <network>', t(text('the pod network', 'Pod 网络'))).choices(CNIS).default('flannel'),
    )
    .addOption(
      new Option('--proxy <mode>', t(text('mode of kube-proxy', 'kube-proxy 的模式')))
        .choices(PROXIES)
        .default('iptables'),
    )
    .option(
      '--workers <n>',
      t(text('nodes beside the control plane', '控制平面之外的节点数')),
      workerCount,
      2,
    )
    .option(
      '--config <file>',
      t(text('a kind configuration; its nodes count', 'kind 配置文件；以其中的节点为准')),
    )
    .addHelpText(
      'after',
      frame.examples(
        ['podlab up', text('flannel, three nodes', 'flannel，三个节点')],
        ['podlab up bgp --cni calico-bgp', text('a second one beside it', '并排的第二个集群')],
        ['podlab up nft --proxy nftables', text('Services by nftables', '用 nftables 实现 Service')],
      ),
    )
    .action(
      frame.action<UpFlags, [string]>(async (io, flags, name) => {
        const { backendOf } = await import('../../cluster/index.ts');
        const { cni, proxy, workers, config } = flags;
        const backend = backendOf(flags.cluster);
        const phases = phaseListener(io, name);
        const signal = interruptSignal(io);
        const began = performance.now();
        const cluster = await backend
          .up(
            { name, cni, proxy, workers, ...(config === undefined ? {} : { config }) },
            phases.onPhase,
            signal,
          )
          .finally(() => phases.end());
        const nodes = await cluster.nodes();
        if (io.json) {
          const { kubeconfig } = cluster;
          const ms = Math.round(performance.now() - began);
          io.out(
            JSON.stringify(
              { name, backend: backend.name, cni, proxy, kubeconfig, nodes, phases: phases.times, ms },
              undefined,
              2,
            ),
          );
          return;
        }
        io.out(
          io.say(
            text(
              `The cluster "${name}" is up: ${nodes.length} nodes.`,
              `集群“${name}”已就绪：${nodes.length} 个节点。`,
            ),
          ),
        );
        io.out(`  kubectl --kubeconfig ${paste([cluster.kubeconfig])} get pods -A -o wide`);
      }),
    );
};
