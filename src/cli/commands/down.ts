/** `podlab down [NAME | --all]`: removes clusters, and nothing that is not ours. */
import { text } from '../../model/text.ts';
import { PodlabError } from '../../model/errors.ts';
import { meant, known } from '../find-cluster.ts';
import type { AddCommand } from '../frame.ts';
import type { Io } from '../io.ts';
import { phaseListener } from '../render/phases.ts';

interface DownFlags {
  readonly all?: boolean;
  readonly yes?: boolean;
}

/** Asks the person, if there is one; where there is none, the command line has said enough. */
async function sure(io: Io, names: readonly string[]): Promise<boolean> {
  if (!io.interactive || names.length === 0) return true;
  const { default: inquirer } = await import('inquirer');
  const { go } = await inquirer.prompt<{ go: boolean }>([
    {
      type: 'confirm',
      name: 'go',
      default: false,
      message: io.say(text(`Remove ${names.join(', ')}?`, `删除 ${names.join('、')}？`)),
    },
  ]);
  return go;
}

export const addDown: AddCommand = (program, frame) => {
  const { t } = frame;
  program
    .command('down')
    .description(t(text('remove a cluster and all that was made for it', '删除集群及为其创建的一切')))
    .argument(
      '[name]',
      t(text('its name; may be left out when there is only one', '集群名称；只有一个时可省略')),
    )
    .option(
      '--all',
      t(
        text(
          'every cluster of ours, and the Docker engine that we started',
          '所有由 podlab 创建的集群，以及由它启动的 Docker',
        ),
      ),
    )
    .option('-y, --yes', t(text('do not ask', '不再询问')))
    .addHelpText(
      'after',
      frame.examples(
        ['podlab down bgp', text('one cluster', '删除一个集群')],
        ['podlab down --all', text('leave no trace', '不留痕迹')],
      ),
    )
    .action(
      frame.action<DownFlags, [string | undefined]>(async (io, flags, name) => {
        const { allBackends } = await import('../../cluster/index.ts');
        if (flags.all && name !== undefined)
          throw new PodlabError({
            code: 'usage',
            fault: 'user',
            message: text('A name and --all exclude each other.', '名称与 --all 不能同时使用。'),
            hint: text(`podlab down ${name}`, `podlab down ${name}`),
          });
        const removed: string[] = [];
        if (flags.all) {
          const names = (await known(allBackends())).map((one) => one.summary.name);
          if (!flags.yes && !(await sure(io, names))) return;
          for (const backend of allBackends()) {
            const phases = phaseListener(io, backend.name);
            removed.push(...(await backend.downAll(phases.onPhase).finally(() => phases.end())));
          }
        } else {
          const { backend, summary } = await meant(name, allBackends());
          const phases = phaseListener(io, summary.name);
          if (await backend.down(summary.name, phases.onPhase).finally(() => phases.end()))
            removed.push(summary.name);
        }
        if (io.json) io.out(JSON.stringify({ removed }, undefined, 2));
        else if (removed.length === 0)
          io.out(io.say(text('There was nothing to remove.', '没有需要删除的内容。')));
        else io.out(io.say(text(`Removed: ${removed.join(', ')}`, `已删除：${removed.join('、')}`)));
      }),
    );
};
