import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { PodlabError } from '../../../src/model/errors.ts';
import { same } from '../../../src/model/text.ts';
import { junit } from '../../../src/run/junit.ts';
import { chooseIds, readLedger } from '../../../src/run/ledger.ts';
import { exitCode } from '../../../src/run/sum-up.ts';
import { claim, FakeBackend, harmless, run, spoils } from './fake.ts';

const schema = JSON.parse(
  readFileSync(new URL('../../../checks/schema/result.schema.json', import.meta.url), 'utf8'),
) as object;
const valid = new Ajv({ allErrors: true, strict: true, strictRequired: false }).compile(schema);

/** As it is written to a file. */
const written = (result: unknown): unknown => JSON.parse(JSON.stringify(result));

describe('clusters of a run', () => {
  it('takes one when one will do, and removes it', async () => {
    const { backend, result } = await run([claim('1'), claim('2'), claim('3')]);
    expect(backend.log).toEqual(['up verify-flannel flannel', 'down verify-flannel']);
    expect(exitCode(result)).toBe(0);
  });

  it('uses a running one and leaves it', async () => {
    const backend = new FakeBackend();
    backend.add('mine', 'calico-bgp');
    await run([claim('1')], { backend });
    expect(backend.log).toEqual([]);
    expect([...backend.clusters.keys()]).toEqual(['mine']);
  });

  it('asks once on one cluster of each group, two new ones at a time', async () => {
    const claims = [
      claim('1', true, { on: [['flannel'], ['flannel-host-gw']] }),
      claim('2', true, { on: [['enforcing'], ['ignoring']] }),
      claim('3', true, { on: [['calico-bgp'], ['calico-vxlan']], before: () => delay(20) }),
    ];
    const { backend, result } = await run(claims);
    expect(backend.log.filter((line) => line.startsWith('up')).length).toBe(4);
    expect(backend.mostAtOnce).toBe(2);
    expect(backend.clusters.size).toBe(0);
    for (const one of result.claims) {
      expect(new Set(one.rows.map((row) => row.cluster)).size).toBe(2);
      expect(one.verdict).toBe('CONFIRMED');
    }
  });

  it('skips with a reason what the selection cannot show, and has nothing to say when all is skipped', async () => {
    const { result, backend } = await run(
      [claim('1', true, { on: [['enforcing']] }), claim('2', true, { needs: ['Bgp'] })],
      { cni: ['flannel'] },
    );
    expect(result.claims.map((one) => one.skipped?.en)).toEqual([
      'needs a cluster with enforcing; chosen: flannel, flannel-host-gw',
      'needs Bgp',
    ]);
    expect(backend.log).toEqual([]);
    expect(exitCode(result)).toBe(2);
  });

  it('refuses an unknown network and names the near ones', async () => {
    await expect(run([claim('1')], { cni: ['calico-bpg'] })).rejects.toMatchObject({
      code: 'unknown-cni',
      fault: 'user',
      hint: { en: expect.stringContaining('calico-bgp') },
    });
  });

  it('makes one after the other where the machine has room for one', async () => {
    const backend = new FakeBackend();
    backend.room = 1;
    const { result } = await run(
      [claim('1', true, { on: [['enforcing'], ['ignoring']], before: () => delay(20) })],
      { backend },
    );
    expect(result.claims).toMatchObject([{ verdict: 'CONFIRMED' }]);
    expect(backend.mostAtOnce).toBe(1);
  });

  it('loses no verdict when a cluster cannot be removed', async () => {
    const backend = new FakeBackend();
    const stuck = claim('1', true, {
      before: async ({ cluster }) => {
        (cluster as { destroy: () => Promise<void> }).destroy = () => Promise.reject(new Error('stuck'));
      },
    });
    const { result, events } = await run([stuck], { backend });
    expect(result.claims).toMatchObject([{ verdict: 'CONFIRMED' }]);
    expect(events).toContainEqual(
      expect.objectContaining({ note: expect.objectContaining({ en: 'could not be removed: stuck' }) }),
    );
  });

  it('passes on why no cluster could be had', async () => {
    const backend = new FakeBackend();
    backend.refuses = new PodlabError({ code: 'no-docker', fault: 'machine', message: same('no docker') });
    await expect(run([claim('1')], { backend })).rejects.toBe(backend.refuses);
  });
});

describe('experiments of a run', () => {
  it('run side by side, but those that disturb alone and last', async () => {
    let now = 0;
    let most = 0;
    const order: string[] = [];
    const busy = (id: string, more: object = {}) =>
      claim(id, true, {
        ...more,
        before: async () => {
          now += 1;
          most = Math.max(most, now);
          await delay(10);
          order.push(`${id}:${now}`);
          now -= 1;
        },
      });
    const calm = Array.from({ length: 10 }, (_, at) => busy(`c${at}`));
    await run([busy('d1', { disturbs: true }), ...calm, busy('d2', { disturbs: true, seconds: 90 })]);
    expect(most).toBe(8);
    expect(order.slice(-2)).toEqual(['d2:1', 'd1:1']);
  });

  it('ends an experiment at its deadline: inconclusive, with the reason', async () => {
    const { result } = await run(
      [claim('1', true, { before: ({ signal }) => delay(60_000, undefined, { signal }) })],
      { deadline: 30 },
    );
    expect(result.claims[0]).toMatchObject({ verdict: 'INCONCLUSIVE' });
    expect(result.claims[0]!.why.en).toMatch(/did not end within/);
    expect(exitCode(result)).toBe(3);
  });

  it('calls the rest inconclusive when the cluster disappears', async () => {
    const backend = new FakeBackend();
    const gone = claim('1', true, {
      disturbs: true,
      seconds: 90,
      before: ({ signal }) => {
        backend.clusters.clear();
        return delay(60_000, undefined, { signal });
      },
    });
    const { result } = await run([gone, claim('2', true, { disturbs: true })], { backend });
    for (const one of result.claims) {
      expect(one.verdict).toBe('INCONCLUSIVE');
      expect(one.why.zh).toContain('已消失');
    }
    expect(exitCode(result)).toBe(3);
  });

  it('puts everything back when interrupted', async () => {
    const stop = new AbortController();
    const slow = claim('1', true, {
      before: ({ signal }) => {
        stop.abort(new Error('interrupted'));
        return delay(60_000, undefined, { signal });
      },
    });
    const { backend, result } = await run([slow], { signal: stop.signal });
    expect(backend.clusters.size).toBe(0);
    expect(result.claims[0]!.why.en).toContain('interrupted');
  });
});

describe('the end of a run', () => {
  it.each([
    ['as expected', [claim('1')], 0],
    ['one differs', [claim('1'), claim('2', false), claim('3', 'broken')], 1],
    ['one is inconclusive', [claim('1'), claim('2', 'broken')], 3],
    ['nothing to run', [], 2],
  ])('%s', async (_, claims, code) => {
    const { result, events } = await run(claims);
    expect(exitCode(result)).toBe(code);
    expect(events.at(-1)).toEqual({ type: 'end', result });
    expect(valid(written(result)), JSON.stringify(valid.errors)).toBe(true);
  });

  it('counts sabotages that turn the verdict, and fails when one does not', async () => {
    const good = await run([claim('1', true, { sabotages: [spoils] })], { sabotage: true });
    expect(good.result.sabotages).toMatchObject([
      { claim: '1', id: 'spoils', turned: true, verdict: 'REFUTED' },
    ]);
    expect(exitCode(good.result)).toBe(0);
    const bad = await run([claim('1', true, { sabotages: [spoils, harmless] })], { sabotage: true });
    expect(bad.result.sabotages!.map((one) => one.turned)).toEqual([true, false]);
    expect(exitCode(bad.result)).toBe(1);
    expect(valid(written(bad.result)), JSON.stringify(valid.errors)).toBe(true);
  });

  it('takes no broken probe for a turned verdict', async () => {
    const breaks = { ...spoils, id: 'breaks', apply: () => Promise.reject(new Error('exec failed')) };
    const { result } = await run([claim('1', true, { sabotages: [breaks] })], { sabotage: true });
    expect(result.sabotages).toMatchObject([{ verdict: 'INCONCLUSIVE', turned: false }]);
  });

  it('is rendered as JUnit XML that holds every fate', async () => {
    const claims = [
      claim('1'),
      claim('2', false),
      claim('3', 'broken'),
      claim('4', true, { needs: ['Bgp'] }),
    ];
    const { result } = await run(claims, { cni: ['flannel'] });
    const xml = junit(result, 'zh');
    expect(xml).toMatch(/tests="4" failures="1" errors="1" skipped="1"/);
    expect(xml.match(/<testcase/g)).toHaveLength(4);
    expect(xml).toContain('论断 2');
  });
});

describe('the ledger', () => {
  it('is read, and every quote is in the article word for word', async () => {
    const ledger = await readLedger();
    const article = readFileSync(new URL('../../../checks/article.zh.txt', import.meta.url), 'utf8');
    expect(ledger.filter(({ quote }) => !article.includes(quote)).map(({ id }) => id)).toEqual([]);
    expect(new Set(ledger.map(({ id }) => id)).size).toBe(ledger.length);
  });

  it('names near ids for one that is not there', () => {
    expect(() => chooseIds(['2.7x'], ['1.1', '2.7a', '2.7b'])).toThrow(
      expect.objectContaining({
        code: 'unknown-claim',
        hint: expect.objectContaining({ en: expect.stringContaining('2.7a') }),
      }),
    );
  });
});
