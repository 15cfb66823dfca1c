import { expect, it } from 'vitest';
import { counts, seenOf } from '../../../checks/flows.ts';
import { chainsFor } from '../../../checks/kit-proxy.ts';
import { tableText } from '../../../checks/node-state.ts';
import { chiSquare } from '../../../checks/claims/3.1e.ts';
import { asked, notAsked } from '../../../src/model/observation.ts';
import { same } from '../../../src/model/text.ts';
import { run } from '../../../src/exec/run.ts';

const services = [
  { name: 'ns/web', ip: '10.96.1.2', port: 80, to: ['10.244.1.2:80', '10.244.2.2:8080'] },
  { name: 'ns/none', ip: '10.96.1.3', port: 80, to: [] },
];

const sandbox = ['unshare', '--user', '--map-root-user', '--net'];
const nft = await run([...sandbox, 'nft', 'list', 'ruleset']);

it.skipIf(!nft.ok)(
  `the kernel takes kit-proxy's table as it is${nft.ok ? '' : ' (skipped: no nft in a user namespace here)'}`,
  async () => {
    const table = tableText('ip', 'podlab-kit-proxy', chainsFor(services));
    const ran = await run([
      ...sandbox,
      'sh',
      '-ec',
      'nft "$1"; nft list table ip podlab-kit-proxy',
      'sh',
      table,
    ]);
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toContain('ip daddr 10.96.1.2 tcp dport 80 numgen random mod 2 vmap');
    expect(ran.stdout).not.toContain('10.96.1.3');
  },
);

it('counts the flows that a capture saw, by who answered', () => {
  const sent = asked([
    { port: 1001, by: 'b' },
    { port: 1002, by: 'c' },
    { port: 1003, by: 'c' },
    { port: 0, by: '' },
  ]);
  const packet = {
    device: undefined,
    way: undefined,
    src: '10.0.0.1',
    sport: 1002,
    dst: '10.0.0.9',
    dport: 80,
  };
  const seen = asked({ packets: [packet, { ...packet, src: '10.0.0.7', sport: 1003 }] });
  expect(seenOf(sent, seen, '10.0.0.1', 'c')).toMatchObject({ value: '1 of 2' });
  expect(seenOf(sent, seen, '10.0.0.1', 'b')).toMatchObject({ value: '0 of 1' });
  expect(seenOf(sent, notAsked(same('deaf')), '10.0.0.1', 'c')).toMatchObject({ asked: false });
  expect(counts('1 of 2')).toEqual({ seen: 1, all: 2 });
});

it('tells a fair spread from an unfair one', () => {
  expect(chiSquare({ p1: 100, p2: 90, p3: 110 }, ['p1', 'p2', 'p3'])).toBeLessThan(23);
  expect(chiSquare({ p1: 150, p2: 150 }, ['p1', 'p2', 'p3'])).toBeGreaterThan(23);
});
