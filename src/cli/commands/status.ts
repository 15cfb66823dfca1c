/** `podlab status [NAME]`: one cluster, its nodes, what it can show, and whether it has settled. */
import { EXIT, PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import { running } from '../find-cluster.ts';
import type { AddCommand } from '../frame.ts';
import { duration, table } from '../render/columns.ts';

/** How long `status` waits for a cluster to settle before it tells what is missing, in milliseconds. */
const PATIENCE = 5_000;

export const addStatus: AddCommand = (program, frame) => {
  const { t } = frame;
  program
    .command('status')
    .description(
      t(text('show a cluster: nodes, capabilities, settled or not', '查看集群：节点、能力、是否已收敛')),
    )
    .argument(
      '[name]',
      t(text('its name; may be left out when there is only one', '集群名称；只有一个时可省略')),
    )
    .action(
      frame.action<object, [string | undefined]>(async (io, _flags, name) => {
        const { allBackends } = await import('../../cluster/index.ts');
        const cluster = await running(name, allBackends());
        const nodes = await cluster.nodes();
        const settled = await cluster.settled(AbortSignal.timeout(PATIENCE)).then(
          (ms) => ({ yes: true as const, ms }),
          (error: unknown) => ({ yes: false as const, error }),
        );
        const capabilities = [...cluster.capabilities];
        const { backend, cni, proxy, kubeconfig } = cluster;
        const missing = settled.yes
          ? undefined
          : settled.error instanceof PodlabError
            ? settled.error.text
            : text(`no answer within ${PATIENCE} ms`, `${PATIENCE} 毫秒内没有结果`);
        const code = settled.yes ? EXIT.ok : EXIT.machine;
        if (io.json) {
          io.out(
            JSON.stringify(
              {
                name: cluster.name,
                backend,
                cni,
                proxy,
                kubeconfig,
                nodes,
                capabilities,
                settled: settled.yes,
                missing,
              },
              undefined,
              2,
            ),
          );
          return code;
        }
        io.out(`${io.paint('bold', cluster.name)}  ${backend}, ${cni}, kube-proxy ${proxy}`);
        for (const line of table(nodes.map((one) => [one.name, one.role, one.address, one.podCidr ?? '-'])))
          io.out(`  ${line}`);
        io.out(`${io.say(text('can show:', '能力：'))} ${capabilities.join(', ')}`);
        io.out(
          settled.yes
            ? io.say(text(`settled (${duration(settled.ms)})`, `已收敛（${duration(settled.ms)}）`))
            : io.say(text(`not settled: ${missing!.en}`, `未收敛：${missing!.zh}`)),
        );
        return code;
      }),
    );
};
