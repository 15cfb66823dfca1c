/** `podlab list`: the clusters that there are. */
import { text } from '../../model/text.ts';
import { known } from '../find-cluster.ts';
import type { AddCommand } from '../frame.ts';
import { table } from '../render/columns.ts';

/** States of a cluster in words. */
export const STATES = {
  running: text('running', '运行中'),
  'half-made': text('half-made', '未完成'),
  stopped: text('stopped', '已停止'),
} as const;

export const addList: AddCommand = (program, frame) => {
  program
    .command('list')
    .alias('ls')
    .description(frame.t(text('list the clusters', '列出集群')))
    .action(
      frame.action(async (io) => {
        const { allBackends } = await import('../../cluster/index.ts');
        const all = (await known(allBackends())).map((one) => one.summary);
        if (io.json) return io.out(JSON.stringify(all, undefined, 2));
        if (all.length === 0)
          return io.out(
            io.say(text('There is no cluster. Make one: podlab up', '没有集群。创建一个：podlab up')),
          );
        const head = [
          text('NAME', '名称'),
          text('BACKEND', '后端'),
          text('NETWORK', '网络'),
          text('PROXY', '代理'),
          text('NODES', '节点'),
          text('STATE', '状态'),
          text('SINCE', '创建时间'),
        ].map((one) => io.say(one));
        const rows = all.map((one) => [
          one.name,
          one.backend,
          one.cni,
          one.proxy,
          String(one.nodes),
          io.say(STATES[one.state]),
          one.since ?? '-',
        ]);
        for (const line of table([head, ...rows])) io.out(line);
      }),
    );
};
