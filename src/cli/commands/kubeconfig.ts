/** `podlab kubeconfig [NAME]`: where kubectl finds the cluster. */
import { readFile } from 'node:fs/promises';
import { text } from '../../model/text.ts';
import { running } from '../find-cluster.ts';
import type { AddCommand } from '../frame.ts';

export const addKubeconfig: AddCommand = (program, frame) => {
  const { t } = frame;
  program
    .command('kubeconfig')
    .description(t(text("print the path of a cluster's kubeconfig", '输出集群 kubeconfig 的路径')))
    .argument(
      '[name]',
      t(text('its name; may be left out when there is only one', '集群名称；只有一个时可省略')),
    )
    .option('--content', t(text('print the file itself', '输出文件内容')))
    .addHelpText(
      'after',
      frame.examples([
        'export KUBECONFIG=$(podlab kubeconfig)',
        text('for kubectl, helm, k9s', '供 kubectl、helm、k9s 使用'),
      ]),
    )
    .action(
      frame.action<{ content?: boolean }, [string | undefined]>(async (io, flags, name) => {
        const { allBackends } = await import('../../cluster/index.ts');
        const { kubeconfig, context } = await running(name, allBackends());
        if (flags.content) io.out((await readFile(kubeconfig, 'utf8')).trimEnd());
        else if (io.json) io.out(JSON.stringify({ kubeconfig, context }, undefined, 2));
        else io.out(kubeconfig);
      }),
    );
};
