/** `podlab verify`: lets the packets answer. */
import { Option } from 'commander';
import { access, constants, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { PROXIES, type Proxy } from '../../cluster/port.ts';
import { EXIT, PodlabError } from '../../model/errors.ts';
import type { Result } from '../../model/result.ts';
import { text } from '../../model/text.ts';
import { clusterOption, type AddCommand } from '../frame.ts';
import { interrupted, interruptSignal } from '../interrupt.ts';
import type { Io } from '../io.ts';
import { table, wrap } from '../render/columns.ts';
import { progress, reportLines } from '../render/report.ts';

interface VerifyFlags {
  readonly cluster: string;
  readonly cni?: string[];
  readonly claim?: string[];
  readonly on?: string[];
  readonly proxy?: Proxy;
  readonly context?: string;
  readonly dryRun?: boolean;
  readonly sabotage?: boolean;
  readonly keep?: boolean;
  readonly deadline?: number;
  /** A file, `-` or true for stdout. */
  readonly json?: string | true;
  readonly junit?: string;
}

/** Networks that are used when none is named. */
const ALL_NETWORKS = ['flannel', 'calico'];

/** `a,b` and `a b` alike, again and again. */
const list = (words: string, before: string[] = []): string[] => [
  ...before,
  ...words.split(',').filter((word) => word !== ''),
];

function seconds(words: string): number {
  const value = Number(words);
  if (Number.isFinite(value) && value > 0) return value;
  throw new PodlabError({
    code: 'usage',
    fault: 'user',
    message: text(`"${words}" is no number of seconds.`, `“${words}”不是有效的秒数。`),
    hint: text('For example: --deadline 300', '例如：--deadline 300'),
  });
}

/** Finds out before the work whether its result can be written. */
async function mustBeWritable(file: string): Promise<void> {
  const folder = dirname(resolve(file));
  await mkdir(folder, { recursive: true });
  await access(folder, constants.W_OK);
}

/** Writes a file at once or not at all. */
async function writeWhole(file: string, words: string): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  await writeFile(part, words);
  await rename(part, file);
}

async function writeResult(result: Result, flags: VerifyFlags, io: Io): Promise<void> {
  const { junit } = await import('../../run/junit.ts');
  const json = `${JSON.stringify(result, undefined, 2)}\n`;
  if (typeof flags.json === 'string' && flags.json !== '-') await writeWhole(flags.json, json);
  if (flags.junit !== undefined) await writeWhole(flags.junit, junit(result, io.lang));
  if (io.json) io.out(json.trimEnd());
  else for (const line of reportLines(result, io)) io.out(line);
}

/** Lists what the claims would make in a cluster. */
async function dryRun(ids: readonly string[], io: Io): Promise<void> {
  const [{ plan }, { CLAIMS }] = await Promise.all([
    import('../../run/dry.ts'),
    import('../../../checks/claims/index.ts'),
  ]);
  const objects = (await Promise.all(CLAIMS.filter(({ id }) => ids.includes(id)).map(plan))).flat();
  if (io.json) return io.out(JSON.stringify(objects, undefined, 2));
  const rows = objects.map(({ claim, kind, namespace, name }) => [claim, kind, namespace ?? '-', name]);
  const head = [
    text('CLAIM', '论断'),
    text('KIND', '类型'),
    text('NAMESPACE', '命名空间'),
    text('NAME', '名称'),
  ];
  for (const line of table([head.map((one) => io.say(one)), ...rows])) io.out(line);
}

async function work(io: Io, flags: VerifyFlags, wanted: readonly string[]): Promise<number> {
  // What was typed is looked at before anything heavy is loaded.
  const [{ readLedger, chooseIds }, { CLAIMS }, { networks }] = await Promise.all([
    import('../../run/ledger.ts'),
    import('../../../checks/claims/index.ts'),
    import('../../run/grounds.ts'),
  ]);
  const cni = flags.cni ?? ALL_NETWORKS;
  networks(cni);
  const ledger = await readLedger();
  const ids = CLAIMS.map(({ id }) => id);
  if (wanted.length > 0)
    chooseIds(
      wanted,
      ledger.map(({ id }) => id),
    );
  const without = wanted.filter((id) => !ids.includes(id));
  if (without.length > 0)
    throw new PodlabError({
      code: 'no-experiment',
      fault: 'user',
      message: text(
        `There is no experiment yet for ${without.join(', ')}.`,
        `${without.join('、')} 尚无实验。`,
      ),
      hint: text('Those that have one: ./podlab claims', '有实验的论断：./podlab claims'),
    });
  const chosen = chooseIds(wanted, ids);
  if (flags.dryRun) {
    await dryRun(chosen, io);
    return EXIT.ok;
  }
  for (const file of [flags.json, flags.junit])
    if (typeof file === 'string' && file !== '-') await mustBeWritable(file);
  const [{ verify }, { exitCode }, { backendOf }] = await Promise.all([
    import('../../run/verify.ts'),
    import('../../run/sum-up.ts'),
    import('../../cluster/index.ts'),
  ]);
  const signal = interruptSignal(io);
  const shown = progress(io);
  try {
    let backend;
    if (flags.cluster === 'kubeconfig') {
      const { foreignCluster, foreignBackend } = await import('../../run/foreign.ts');
      backend = foreignBackend(await foreignCluster({ context: flags.context }, signal, shown.listener));
    } else backend = backendOf(flags.cluster);
    const result = await verify({
      backend,
      ledger,
      signal,
      claims: CLAIMS.filter(({ id }) => chosen.includes(id)),
      cni,
      on: flags.on ?? [],
      proxy: flags.proxy,
      sabotage: flags.sabotage ?? false,
      keep: flags.keep ?? false,
      deadline: flags.deadline === undefined ? undefined : flags.deadline * 1000,
      listener: shown.listener,
    });
    shown.end();
    await writeResult(result, flags, io);
    const code = exitCode(result);
    if (code === EXIT.usage) io.tell(io.say(text('Nothing could be run here.', '在此没有可以运行的论断。')));
    return interrupted() ? EXIT.interrupted : code;
  } finally {
    shown.end();
  }
}

export const addVerify: AddCommand = (program, frame) => {
  const { t } = frame;
  program
    .command('verify')
    .description(
      t(text('put claims to the test on clusters; the packets decide', '在集群上检验论断，由数据包裁决')),
    )
    .argument(
      '[id...]',
      t(text('claims such as 2.7a; all when none is named', '论断编号，例如 2.7a；默认全部')),
    )
    .addOption(clusterOption(frame))
    .option(
      '--cni <networks>',
      t(
        text(
          `pod networks: flannel (and flannel-host-gw where a claim needs both), calico (calico-bgp, calico-vxlan), or one by its name (default: ${ALL_NETWORKS.join(',')})`,
          `Pod 网络：flannel（需要时加 flannel-host-gw）、calico（calico-bgp、calico-vxlan），或具体名称（默认：${ALL_NETWORKS.join(',')}）`,
        ),
      ),
      list,
    )
    .addOption(
      new Option('--proxy <mode>', t(text('mode of kube-proxy', 'kube-proxy 的模式'))).choices(PROXIES),
    )
    .option('--claim <id...>', t(text('claims, as the arguments', '论断编号，同参数')))
    .option('--on <names>', t(text('only on these running clusters', '仅在这些运行中的集群上')), list)
    .option(
      '--context <name>',
      t(text('with --cluster kubeconfig: the context to use', '配合 --cluster kubeconfig：使用的上下文')),
    )
    .option(
      '--dry-run',
      t(text('list every object that would be made, and make none', '列出将创建的全部对象，但不创建')),
    )
    .option(
      '--sabotage',
      t(
        text(
          'also break each experiment on purpose: its verdict must turn',
          '同时故意破坏每个实验：判定必须改变',
        ),
      ),
    )
    .option('--keep', t(text('leave the clusters up that were made for this', '保留为此创建的集群')))
    .option(
      '--deadline <seconds>',
      t(text('the longest that one experiment may take', '单个实验的最长时间')),
      seconds,
    )
    .option(
      '--json <file>',
      t(text('write everything as JSON; - is stdout', '以 JSON 写出全部结果；- 表示 stdout')),
    )
    .option('--junit <file>', t(text('write JUnit XML', '写出 JUnit XML')))
    .addHelpText(
      'after',
      frame.examples(
        ['podlab verify --claim 2.7a', text('one claim', '一个论断')],
        ['podlab verify --cni calico --json out.json', text('with the evidence', '并保存证据')],
        ['podlab verify --sabotage --claim 4.1c', text('can this check fail?', '这个检查会失败吗？')],
      ) + `\n\n${wrap(t(EXIT_CODES), 80).join('\n')}`,
    )
    .action(
      frame.action<VerifyFlags, [string[]]>((io, flags, ids) =>
        work(io, flags, list(ids.join(','), list((flags.claim ?? []).join(',')))),
      ),
    );
};

const EXIT_CODES = text(
  'Exit code: 0 all as expected, 1 a verdict differs, 2 nothing could be run, 3 some were inconclusive.',
  '退出码：0 全部与预期一致，1 有判定不一致，2 没有可运行的论断，3 有无法判定的论断。',
);
