/** Reads checks/ledger.yaml: the sentences of the article, and the verdict that we expect of each. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { LedgerEntry } from '../model/ledger.ts';
import { PodlabError } from '../model/errors.ts';
import { near } from '../model/near.ts';
import { text } from '../model/text.ts';
import { VERDICTS } from '../model/verdict.ts';

export const LEDGER_FILE = 'checks/ledger.yaml';

/** The ledger's entries, in its own order. */
export async function readLedger(): Promise<readonly LedgerEntry[]> {
  const words = await readFile(new URL(`../../${LEDGER_FILE}`, import.meta.url), 'utf8');
  const { claims } = parse(words) as { claims: LedgerEntry[] };
  for (const { id, quote, expected_verdict: expected } of claims)
    if (!id || !quote || !VERDICTS.includes(expected))
      throw new PodlabError({
        code: 'bad-ledger',
        fault: 'podlab',
        message: text(
          `${LEDGER_FILE}: the entry ${id} has no quote or no known verdict`,
          `${LEDGER_FILE}：条目 ${id} 缺少引文或判定无效`,
        ),
      });
  return claims;
}

/**
 * Those of `known` that were asked for; all when none were.
 * @throws PodlabError `unknown-claim` (user) with near ids
 */
export function chooseIds(wanted: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = wanted.filter((id) => !known.includes(id));
  if (unknown.length > 0) {
    const close = [...new Set(unknown.flatMap((id) => near(id, known, 5)))];
    throw new PodlabError({
      code: 'unknown-claim',
      fault: 'user',
      message: text(`There is no claim ${unknown.join(', ')}.`, `没有论断 ${unknown.join('、')}。`),
      hint:
        close.length > 0
          ? text(
              `Did you mean ${close.join(', ')}? All of them: ./podlab claims`,
              `是不是想输入 ${close.join('、')}？全部论断：./podlab claims`,
            )
          : text('All of them: ./podlab claims', '全部论断：./podlab claims'),
    });
  }
  return wanted.length === 0 ? known : known.filter((id) => wanted.includes(id));
}
