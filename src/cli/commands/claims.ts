/** `podlab claims [list | show ID]`: what the article says, and how it is put to the test. */
import type { Claim } from '../../../checks/experiment.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { text, type Text } from '../../model/text.ts';
import type { AddCommand } from '../frame.ts';
import type { Io } from '../io.ts';
import { clip, pad, wrap } from '../render/columns.ts';
import { verdictWords } from '../render/verdicts.ts';

/** A sentence with its experiment, if there is one yet. */
interface Entry {
  readonly entry: LedgerEntry;
  readonly claim: Claim | undefined;
}

async function entries(): Promise<Entry[]> {
  const [{ readLedger }, { CLAIMS }] = await Promise.all([
    import('../../run/ledger.ts'),
    import('../../../checks/claims/index.ts'),
  ]);
  const byId = new Map(CLAIMS.map((claim) => [claim.id, claim]));
  return (await readLedger()).map((entry) => ({ entry, claim: byId.get(entry.id) }));
}

const fileOf = (id: string) => `checks/claims/${id}.ts`;

function asJson({ entry, claim }: Entry): object {
  return {
    id: entry.id,
    section: entry.section,
    quote: entry.quote,
    claim: entry.claim_en,
    expected: entry.expected_verdict,
    reasoning: entry.reasoning,
    control: entry.experiment.control,
    falsifier: entry.experiment.falsifier,
    sources: entry.sources,
    ...(claim && {
      experiment: fileOf(claim.id),
      on: claim.on,
      needs: claim.needs,
      disturbs: claim.disturbs ?? false,
      sabotages: claim.sabotages.map(({ id, title, at }) => ({ id, title, at })),
    }),
  };
}

function list(io: Io, all: readonly Entry[]): void {
  const idWidth = Math.max(...all.map(({ entry }) => entry.id.length));
  const verdictWidth = 14;
  for (const { entry, claim } of all) {
    const mark = claim ? ' ' : '-';
    const head = `${mark} ${entry.id.padEnd(idWidth)}  ${pad(verdictWords(entry.expected_verdict, io), verdictWidth)}  `;
    io.out(
      head + clip(io.lang === 'zh' ? entry.quote : entry.claim_en, io.width - idWidth - verdictWidth - 6),
    );
  }
  const without = all.filter(({ claim }) => !claim).length;
  if (without > 0) io.tell(io.say(text(`- has no experiment yet: ${without}`, `- 尚无实验：${without} 个`)));
}

function show(io: Io, { entry, claim }: Entry): void {
  const label = (words: Text) => io.paint('bold', io.say(words));
  const body = (words: string) => wrap(words, io.width - 2).forEach((line) => io.out(`  ${line}`));
  const part = (title: Text, words: string) => {
    io.out(label(title));
    body(words);
  };
  io.out(`${io.paint('bold', entry.id)}  ${verdictWords(entry.expected_verdict, io)}`);
  part(text('The article says', '文章说'), `“${entry.quote}”`);
  if (io.lang === 'en') body(entry.claim_en);
  part(text('Why we expect that verdict', '为什么预期如此'), entry.reasoning);
  part(
    text('Control (must come out, or nothing was learned)', '对照（必须成立，否则什么也没学到）'),
    entry.experiment.control,
  );
  part(text('What would prove us wrong', '什么会证明我们错了'), entry.experiment.falsifier);
  if (!claim) return io.out(io.say(text('There is no experiment yet.', '尚无实验。')));
  const grounds = claim.on.map((group) => group.join(' | ')).join(' + ');
  part(text('Experiment', '实验'), fileOf(claim.id));
  body(
    io.say(text(`asked on: ${grounds}; needs: `, `运行于：${grounds}；需要：`)) +
      (claim.needs.join(', ') || io.say(text('the Kubernetes API and exec', 'Kubernetes API 与 exec'))),
  );
  io.out(label(text('Sabotages (each must turn the verdict)', '破坏（每一个都必须使判定改变）')));
  for (const one of claim.sabotages) body(`${one.id}: ${io.say(one.title)}`);
  part(text('Run it', '运行'), `podlab verify --claim ${entry.id}`);
}

export const addClaims: AddCommand = (program, frame) => {
  const { t } = frame;
  const claims = program
    .command('claims')
    .description(
      t(text("the article's claims, and how each is put to the test", '文章中的论断，以及如何检验')),
    )
    .addHelpText(
      'after',
      frame.examples(
        ['podlab claims', text('all of them', '全部论断')],
        ['podlab claims show 2.7a', text('one of them with its experiment', '其中一个及其实验')],
      ),
    );
  claims
    .command('list', { isDefault: true })
    .description(t(text('list them', '列出论断')))
    .action(
      frame.action(async (io) => {
        const all = await entries();
        if (io.json) io.out(JSON.stringify(all.map(asJson), undefined, 2));
        else list(io, all);
      }),
    );
  claims
    .command('show')
    .description(t(text('show some', '查看论断')))
    .argument('<id...>', t(text('ids such as 2.7a', '编号，例如 2.7a')))
    .action(
      frame.action<object, [string[]]>(async (io, _flags, ids) => {
        const all = await entries();
        const { chooseIds } = await import('../../run/ledger.ts');
        const chosen = chooseIds(
          ids,
          all.map(({ entry }) => entry.id),
        );
        const some = all.filter(({ entry }) => chosen.includes(entry.id));
        if (io.json) return io.out(JSON.stringify(some.map(asJson), undefined, 2));
        some.forEach((one, at) => {
          if (at > 0) io.out('');
          show(io, one);
        });
      }),
    );
};
