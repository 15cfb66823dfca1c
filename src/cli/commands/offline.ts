/** `podlab offline build|save|load|status`: images without any registry. */
import { EXIT } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { OnPhase as OnOfflinePhase } from '../../offline/progress.ts';
import type { AddCommand } from '../frame.ts';
import { interruptSignal } from '../interrupt.ts';
import type { Io } from '../io.ts';
import { table } from '../render/columns.ts';
import { PhaseLines } from '../render/phases.ts';

/** A size as people read it. */
const size = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;

/** Runs long work of the image set and shows its phases. */
async function shown<T>(
  io: Io,
  of: string,
  work: (options: { onPhase: OnOfflinePhase; signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const lines = new PhaseLines(io);
  const onPhase: OnOfflinePhase = ({ phase, state, ms, detail }) =>
    lines.show({ of, id: phase.en, title: phase, ms: state === 'end' ? (ms ?? 0) : undefined, note: detail });
  try {
    return await work({ onPhase, signal: interruptSignal(io) });
  } finally {
    lines.end();
  }
}

async function status(io: Io): Promise<number> {
  const { offlineStatus } = await import('../../offline/status.ts');
  const { key, versions, folder, set, damaged, bytes, others, done, todo, free } = await offlineStatus();
  const code = set ? EXIT.ok : EXIT.machine;
  if (io.json) {
    const state = set ? 'there' : damaged ? 'damaged' : 'missing';
    io.out(
      JSON.stringify(
        { key, state, folder, versions, bytes, others, done, todo, free, images: set?.images },
        undefined,
        2,
      ),
    );
    return code;
  }
  const row = (name: ReturnType<typeof text>, words: string) => [io.say(name), words];
  const state = set
    ? text(`there (${size(bytes)})`, `已就绪（${size(bytes)}）`)
    : damaged
      ? text(`damaged: ${damaged.text.en}`, `已损坏：${damaged.text.zh}`)
      : text(
          `not built; ${done.length} of ${done.length + todo.length} steps are done`,
          `尚未构建；已完成 ${done.length}/${done.length + todo.length} 步`,
        );
  const rows = [
    row(text('image set', '镜像集'), `${key} ${io.say(state)}`),
    row(text('folder', '目录'), folder),
    ...Object.entries(set?.versions ?? {}).map(([name, version]) => [name, version]),
  ];
  if (others.length > 0)
    rows.push(
      row(text('others', '其他版本'), others.map((one) => `${one.key} (${size(one.bytes)})`).join(', ')),
    );
  if (free !== undefined) rows.push(row(text('free', '可用空间'), size(free)));
  for (const line of table(rows)) io.out(line);
  if (!set) io.tell(io.say(text('Build it: podlab offline build', '构建：podlab offline build')));
  return code;
}

export const addOffline: AddCommand = (program, frame) => {
  const { t } = frame;
  const offline = program
    .command('offline')
    .description(t(text('the image set for machines without a registry', '供没有镜像仓库的机器使用的镜像集')))
    .addHelpText(
      'after',
      frame.examples(
        [
          'podlab offline build',
          text('13 minutes on 2 cores; goes on where it was ended', '2 核约 13 分钟；可从中断处继续'),
        ],
        ['podlab offline save podlab-images.tar.zst', text('carry it away', '带走')],
        ['podlab offline load podlab-images.tar.zst', text('on the other machine', '在另一台机器上')],
      ),
    );
  offline
    .command('build')
    .description(
      t(text('make the set from Debian packages and Go modules', '用 Debian 软件包和 Go 模块制作镜像集')),
    )
    .action(
      frame.action(async (io) => {
        const { buildImageSet } = await import('../../offline/build.ts');
        const { key, folder } = await shown(io, 'offline', (options) => buildImageSet(options));
        if (io.json) io.out(JSON.stringify({ key, folder }, undefined, 2));
        else io.out(io.say(text(`The image set is there: ${folder}`, `镜像集已就绪：${folder}`)));
      }),
    );
  offline
    .command('save')
    .description(t(text('write the set into one file', '把镜像集写入一个文件')))
    .argument('<file>', t(text('.gz, .xz or .zst compresses it', '后缀 .gz、.xz 或 .zst 表示压缩')))
    .action(
      frame.action<object, [string]>(async (io, _flags, file) => {
        const { saveImageSet } = await import('../../offline/carry.ts');
        const bytes = await shown(io, 'offline', (options) => saveImageSet(file, options));
        if (io.json) io.out(JSON.stringify({ file, bytes }, undefined, 2));
        else io.out(io.say(text(`Written: ${file} (${size(bytes)})`, `已写入：${file}（${size(bytes)}）`)));
      }),
    );
  offline
    .command('load')
    .description(t(text('take over a set from a file', '从文件载入镜像集')))
    .argument('<file>', t(text('what `save` wrote', '由 `save` 写出的文件')))
    .action(
      frame.action<object, [string]>(async (io, _flags, file) => {
        const { loadImageSet } = await import('../../offline/carry.ts');
        const { key, folder } = await shown(io, 'offline', (options) => loadImageSet(file, options));
        if (io.json) io.out(JSON.stringify({ key, folder }, undefined, 2));
        else io.out(io.say(text(`The image set is there: ${folder}`, `镜像集已就绪：${folder}`)));
      }),
    );
  offline
    .command('status')
    .description(t(text('what there is of it on this machine', '查看本机上的镜像集')))
    .action(frame.action(status));
};
