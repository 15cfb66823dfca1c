/** A run of `verify` on a terminal: progress as it comes, then the table of verdicts. */
import type { Listener, RunEvent } from '../../model/events.ts';
import type { ClaimResult, Result, SabotageResult } from '../../model/result.ts';
import type { Row } from '../../model/row.ts';
import { text } from '../../model/text.ts';
import type { Io } from '../io.ts';
import { clip, duration, pad, wrap } from './columns.ts';
import { PhaseLines } from './phases.ts';
import { verdictWords } from './verdicts.ts';

const AS_EXPECTED = text('as expected', '与预期一致');

/** One line about a row: what was asked, foretold, and seen. */
export function rowLine(row: Row, io: Pick<Io, 'say'>): string {
  const under = row.under ? ` [${io.say(row.under)}]` : '';
  const head = `${io.say(row.question)}${under}`;
  if (row.met === undefined)
    return `${head}: ${io.say(text('not asked', '未能探测'))}: ${row.reason ? io.say(row.reason) : ''}`;
  // Questions end with a mark of their own.
  const seen = `${/[?？]$/.test(head) ? '' : ':'} ${row.observed}`;
  const foretold = io.say(row.predicted);
  const by = row.kind === 'control' ? text('control', '对照') : text('the article says', '文章说');
  return `${head}${seen} (${io.say(by)}: ${foretold})`;
}

/** Shows progress of a run on stderr; a claim that is asked, its settling, its verdict. */
export function progress(io: Io): { listener: Listener; end(): void } {
  const lines = new PhaseLines(io);
  const { paintError: paint, say } = io;
  const claimOf = (id: string) => say(text(`claim ${id}`, `论断 ${id}`));
  const listener = (event: RunEvent): void => {
    switch (event.type) {
      case 'phase':
        return lines.show(event);
      case 'cluster': {
        const { name, backend, cni, proxy, nodes, versions } = event.cluster;
        const kubernetes = versions['kubernetes'] ?? '';
        return lines.line(
          say(
            text(
              `cluster ${name}: ${backend}, ${cni}, kube-proxy ${proxy}, ${nodes} nodes, Kubernetes ${kubernetes}`,
              `集群 ${name}：${backend}，${cni}，kube-proxy ${proxy}，${nodes} 个节点，Kubernetes ${kubernetes}`,
            ),
          ),
        );
      }
      case 'claim-begin':
        return lines.show({
          of: claimOf(event.id),
          id: event.cluster,
          title: text(`asked on ${event.cluster}`, `在 ${event.cluster} 上检验`),
          ms: undefined,
        });
      case 'settled': {
        const held = event.held ? text('settled', '已收敛') : text('did not settle', '未收敛');
        const times = text(
          `${duration(event.ms)}, ${event.looks} looks`,
          `${duration(event.ms)}，查看 ${event.looks} 次`,
        );
        return lines.line(paint('dim', `  ${event.claim}: ${say(held)}: ${say(event.what)} (${say(times)})`));
      }
      case 'note':
        return lines.line(paint('dim', `  ${event.claim}: ${say(event.note)}`));
      case 'claim-end': {
        const { result } = event;
        lines.close(claimOf(result.id));
        if (result.verdict === undefined) return;
        const expected = result.asExpected
          ? ''
          : ` (${say(text('expected', '预期'))}: ${verdictWords(result.expected, io)})`;
        return lines.line(
          `${pad(result.id, 6)} ${verdictWords(result.verdict, io)}${expected} ${paint('dim', duration(result.ms))}`,
        );
      }
      case 'sabotage-end':
      case 'row':
      case 'end':
        return;
    }
  };
  return { listener, end: () => lines.end() };
}

const decisiveRow = (result: ClaimResult): Row | undefined =>
  result.rows.find((row) => row.id === result.decidedBy) ??
  result.rows.find((row) => row.kind === 'decisive');

/** The lines of one claim: quoted, judged, and the row that decided it. */
function claimLines(result: ClaimResult, io: Io): string[] {
  const { say, paint, width } = io;
  const indent = ' '.repeat(7);
  const quote = say(text(`“${result.claim.en}”`, `“${result.quote}”`));
  const [first = '', ...more] = wrap(quote, width - 7);
  const lines = [`${paint('bold', pad(result.id, 6))} ${first}`, ...more.map((line) => indent + line)];
  if (result.verdict === undefined)
    return [
      ...lines,
      `${indent}- ${say(text('skipped', '跳过'))}: ${result.skipped ? say(result.skipped) : ''}`,
    ];
  const expected = result.asExpected
    ? paint('dim', say(AS_EXPECTED))
    : paint(['bold', 'red'], say(text('NOT AS EXPECTED, expected ', '与预期不符，预期 '))) +
      verdictWords(result.expected, io);
  lines.push(`${indent}${verdictWords(result.verdict, io)}  ${expected}`);
  const row = decisiveRow(result);
  if (row)
    lines.push(
      ...wrap(rowLine(row, io), width - 9).map((line, at) => `${indent}${at === 0 ? '> ' : '  '}${line}`),
    );
  if (result.verdict === 'IMPRECISE' || result.verdict === 'INCONCLUSIVE')
    lines.push(...wrap(say(result.why), width - 9).map((line) => `${indent}  ${line}`));
  return lines;
}

function sabotageLine(one: SabotageResult, io: Io): string {
  const { say } = io;
  const name = `${one.claim} ${one.id}`;
  const [mark, words] =
    one.turned === undefined
      ? ['-', text(`not tried: ${one.skipped?.en}`, `未实施：${one.skipped?.zh}`)]
      : one.turned
        ? ['✓', text(`turned it to ${one.verdict}`, `判定变为 ${one.verdict}`)]
        : [
            '✗',
            text(
              `DID NOT TURN IT (${one.verdict}): ${one.why.en}`,
              `判定未按要求改变（${one.verdict}）：${one.why.zh}`,
            ),
          ];
  return clip(`${mark} ${pad(name, 28)} ${say(words)}`, io.width);
}

/** The table at the end, on stdout. */
export function reportLines(result: Result, io: Io): string[] {
  const { say } = io;
  const lines = result.claims.flatMap((one) => claimLines(one, io));
  if (result.sabotages?.length) {
    lines.push('', io.paint('bold', say(text('Sabotages', '破坏'))));
    lines.push(...result.sabotages.map((one) => sabotageLine(one, io)));
  }
  const judged = result.claims.filter((one) => one.verdict !== undefined);
  const good = judged.filter((one) => one.asExpected).length;
  const open = judged.filter((one) => !one.asExpected && one.verdict === 'INCONCLUSIVE').length;
  const differs = judged.length - good - open;
  const skipped = result.claims.length - judged.length;
  lines.push(
    '',
    say(
      text(
        `${good} as expected, ${differs} otherwise, ${open} inconclusive, ${skipped} skipped`,
        `与预期一致 ${good}，不一致 ${differs}，无法判定 ${open}，跳过 ${skipped}`,
      ),
    ),
  );
  if (result.sabotages) {
    const turned = result.sabotages.filter((one) => one.turned).length;
    const not = result.sabotages.filter((one) => one.turned === false).length;
    const untried = result.sabotages.length - turned - not;
    lines.push(
      say(
        text(
          `sabotages: ${turned} turned the verdict, ${not} did not, ${untried} not tried`,
          `破坏：使判定改变 ${turned}，未改变 ${not}，未实施 ${untried}`,
        ),
      ),
    );
  }
  return lines;
}
