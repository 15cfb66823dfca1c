/** A run as JUnit XML (the format of Apache Ant's junitreport, as CI servers read it): a test case for each claim. */
import type { ClaimResult, Result, SabotageResult } from '../model/result.ts';
import type { Row } from '../model/row.ts';
import { say, type Lang } from '../model/text.ts';

/** Escapes for XML 1.0, and drops the control characters that it has no way to write. */
export const escapeXml = (words: string): string =>
  words
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);

const attributes = (of: Readonly<Record<string, string | number>>): string =>
  Object.entries(of)
    .map(([name, value]) => ` ${name}="${escapeXml(String(value))}"`)
    .join('');

const element = (name: string, of: Readonly<Record<string, string | number>>, inside: string): string =>
  inside === '' ? `<${name}${attributes(of)}/>` : `<${name}${attributes(of)}>${inside}</${name}>`;

/** All that was asked, a line each, with the commands. */
const evidence = (rows: readonly Row[], lang: Lang): string =>
  rows
    .flatMap((row) => [
      `[${row.kind}] ${say(row.question, lang)} | ${say(row.predicted, lang)} | ${row.observed ?? `? ${row.reason ? say(row.reason, lang) : ''}`}`,
      ...row.probes.map((probe) => `    ${probe.where} $ ${probe.command} -> ${probe.code ?? '?'}`),
    ])
    .join('\n');

function claimCase(one: ClaimResult, lang: Lang): string {
  const why = say(one.why, lang);
  const message = `expected ${one.expected}, computed ${one.verdict ?? '-'}: ${why}`;
  const fate =
    one.verdict === undefined
      ? element('skipped', { message: why }, '')
      : one.asExpected
        ? ''
        : element(one.verdict === 'INCONCLUSIVE' ? 'error' : 'failure', { message, type: one.verdict }, '');
  const out = one.rows.length > 0 ? element('system-out', {}, escapeXml(evidence(one.rows, lang))) : '';
  const name = `${one.id} ${say(one.claim, lang)}`;
  return element('testcase', { classname: 'podlab.claims', name, time: one.ms / 1000 }, fate + out);
}

function sabotageCase(one: SabotageResult, lang: Lang): string {
  const why = say(one.why, lang);
  const fate =
    one.turned === undefined
      ? element('skipped', { message: why }, '')
      : one.turned
        ? ''
        : element('failure', { message: `the verdict stayed ${one.verdict}: ${why}`, type: 'sabotage' }, '');
  const name = `${one.claim} ${one.id}: ${say(one.title, lang)}`;
  return element('testcase', { classname: 'podlab.sabotages', name, time: one.ms / 1000 }, fate);
}

/** The whole document. */
export function junit(result: Result, lang: Lang): string {
  const { claims, sabotages = [] } = result;
  const failures =
    claims.filter((one) => one.asExpected === false && one.verdict !== 'INCONCLUSIVE').length +
    sabotages.filter((one) => one.turned === false).length;
  const errors = claims.filter((one) => one.asExpected === false && one.verdict === 'INCONCLUSIVE').length;
  const skipped = [...claims, ...sabotages].filter((one) => one.verdict === undefined).length;
  const time = (Date.parse(result.ended) - Date.parse(result.began)) / 1000;
  const counts = { tests: claims.length + sabotages.length, failures, errors, skipped, time };
  const cases = [
    ...claims.map((one) => claimCase(one, lang)),
    ...sabotages.map((one) => sabotageCase(one, lang)),
  ];
  const suite = element(
    'testsuite',
    { name: 'podlab', timestamp: result.began, ...counts },
    `\n${cases.join('\n')}\n`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', counts, `\n${suite}\n`)}\n`;
}
