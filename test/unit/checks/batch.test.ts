import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../../src/exec/run.ts';
import { asked, notAsked } from '../../../src/model/observation.ts';
import { same } from '../../../src/model/text.ts';
import { batchScript, readBatch, takeApart } from '../../../checks/batch.ts';
import { connectArgv, outcomeOf } from '../../../checks/connect.ts';
import { answeredBy, http } from '../../../checks/http.ts';
import { spread, whoAnswered } from '../../../checks/spread.ts';
import type { PodHandle, Stage } from '../../../checks/experiment.ts';
import { observe } from '../../../src/run/observe.ts';

const pod: PodHandle = { name: 'a', namespace: 'lab', ip: '10.0.0.1', node: 'n', uid: 'u' };

/** A stage whose pods are this machine: the same scripts, a real shell, a real curl. */
const here = {
  exec: async (_pod: PodHandle, argv: readonly string[], { timeout = 10_000 } = {}) => {
    const ran = await run(argv, { timeout });
    const { stdout, stderr, code, ms } = ran;
    return observe(
      { where: 'pod lab/a', command: argv.join(' '), stdout, stderr, code, ms, at: '' },
      ran.broken,
    );
  },
} as unknown as Stage;

describe('a batch of commands in one exec', () => {
  it('gives each command its own answer, whatever it prints', async () => {
    const commands = [
      { argv: ['printf', 'two\nlines'] },
      { argv: ['sh', '-c', 'echo "a b  c $1" >&2; exit 3', 'x', "it's"] },
      { argv: ['printf', ''] },
    ];
    const ran = await run(['sh', '-c', batchScript(commands, { width: 2 })]);
    const frames = readBatch(ran.stdout);
    expect(frames.get(0)).toMatchObject({ code: 0, output: 'two\nlines' });
    expect(frames.get(1)).toMatchObject({ code: 3, output: "a b  c it's" });
    expect(frames.get(2)).toMatchObject({ code: 0, output: '' });
  });

  it('asks nothing by a program that is not there: 127 is the shell’s word, not an answer', async () => {
    const commands = [{ argv: ['/no/such/agnhost', 'connect'] }];
    const seen = await here.exec(pod, ['sh', '-c', batchScript(commands)]);
    const [one] = takeApart(seen, commands, pod);
    expect(one).toMatchObject({ asked: false });
    expect(one!.probes[0]!.stdout).toContain('not found');
  });

  it('asks nothing when exec itself failed or a frame was lost', () => {
    const commands = [{ argv: ['a'] }, { argv: ['b'] }];
    const broken = takeApart(notAsked(same('exec: connection refused')), commands, pod);
    expect(broken.map((one) => one.asked)).toEqual([false, false]);
    const probe = { where: 'w', command: 'c', stderr: '', code: 0, ms: 1, at: '' };
    const stdout = '@@0 0 1.00 1.02\nok\n@@0.\n@@end\n';
    const half = takeApart(asked({ code: 0, stdout, stderr: '' }, { ...probe, stdout }), commands, pod);
    expect(half[0]).toMatchObject({ asked: true, value: { code: 0, output: 'ok' } });
    expect(half[1]).toMatchObject({ asked: false });
  });
});

describe("agnhost's words", () => {
  it.each([
    [0, '', 'CONNECTED'],
    [1, 'TIMEOUT\n', 'TIMEOUT'],
    [1, 'TIMEOUT: read udp 10.244.1.2:41->10.244.2.3:80: i/o timeout', 'TIMEOUT'],
    [1, 'REFUSED\n', 'REFUSED'],
    [1, 'REFUSED: read udp 10.244.1.2:41->10.244.2.3:80: read: connection refused', 'REFUSED'],
    [1, 'DNS: lookup web on 10.96.0.10:53: no such host', 'DNS'],
    [1, 'OTHER: dial tcp 10.244.2.3:80: connect: no route to host', 'UNREACHABLE'],
    [1, 'OTHER: dial tcp 10.244.2.3:80: connect: network is unreachable', 'UNREACHABLE'],
    [1, 'UNKNOWN: read udp 10.244.1.2:4->10.244.2.3:80: read: no route to host', 'UNREACHABLE'],
  ])('%s %j is %s', (code, output, outcome) => {
    expect(outcomeOf({ code, output })).toBe(outcome);
  });

  it.each([
    [1, ''],
    [2, 'Error: unknown command "connect" for "app"'],
    [1, 'OTHER: dial tcp 10.244.2.3:80: connect: operation not permitted'],
    [0, 'usage: ...'],
    [137, 'TIMEOU'],
  ])('%s %j is no outcome', (code, output) => {
    expect(outcomeOf({ code, output })).toBeUndefined();
  });

  it('puts an IPv6 address in brackets', () => {
    expect(connectArgv({ to: 'fd00::1', port: 80, protocol: 'UDP' }).at(-1)).toBe('[fd00::1]:80');
  });
});

describe('curl, for real', () => {
  let server: Server;
  let port: number;
  let count = 0;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url?.startsWith('/hostname')) response.end(`web-${count++ % 3}`);
      else if (request.url === '/rude') request.socket.destroy();
      else response.writeHead(418).end(`${request.method}\nsecond line`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  it('reads status and body', async () => {
    const seen = await http(here, pod, `http://127.0.0.1:${port}/x`, { method: 'DELETE' });
    expect(seen).toMatchObject({
      asked: true,
      value: { outcome: 'CONNECTED', status: 418, body: 'DELETE\nsecond line' },
    });
  });

  it('tells a refusal, a name that is not found and a rude server apart', async () => {
    const refused = await http(here, pod, 'http://127.0.0.1:1/');
    expect(refused).toMatchObject({ asked: true, value: { outcome: 'REFUSED' } });
    const rude = await http(here, pod, `http://127.0.0.1:${port}/rude`);
    expect(rude).toMatchObject({ asked: true, value: { outcome: 'CONNECTED', body: '' } });
  });

  it('counts who answers, one connection each', async () => {
    const seen = await spread(here, pod, '127.0.0.1', 61, port);
    expect(seen).toMatchObject({ asked: true, value: { sent: 61, failed: {} } });
    if (seen.asked) expect(whoAnswered(seen.value)).toBe('web-0 web-1 web-2');
    expect(await answeredBy(here, pod, '127.0.0.1', port)).toMatchObject({ asked: true });
  });

  it('counts what failed, and says so', async () => {
    const seen = await spread(here, pod, '127.0.0.1', 12, 1);
    expect(seen).toMatchObject({ asked: true, value: { answered: {}, failed: { 'NOT CONNECTED': 6 } } });
  });
});
