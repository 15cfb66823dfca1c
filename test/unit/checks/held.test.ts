import { describe, expect, it } from 'vitest';
import { establishedIn, readHeld } from '../../../checks/held.ts';
import { blockOf, outsidePort } from '../../../checks/outside.ts';

describe('a held connection', () => {
  const lines = (...rounds: string[]) => ['connected', 'nginx', ...rounds, 'end', ''].join('\n');
  it('counts answers before and since new connections are denied', () => {
    const said = lines('held nginx new CONNECTED', 'held nginx new TIMEOUT', 'held nginx new TIMEOUT');
    expect(readHeld(said)).toEqual({ before: 2, since: 2, died: false });
    expect(readHeld(lines('held nginx new TIMEOUT', 'held - new TIMEOUT'))).toEqual({
      before: 1,
      since: 1,
      died: true,
    });
  });
  it('is no answer when it was never connected or cut short', () => {
    expect(readHeld('bash: connect: Connection timed out\n')).toBeUndefined();
    expect(readHeld('connected\nheld nginx new CONNECTED\n')).toBeUndefined();
  });
  it('finds an established connection in /proc/net/tcp', () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0201F40A:9C40 0302F40A:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0201F40A:9C42 0302F40A:0050 06 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1`;
    expect(establishedIn(table, '10.244.2.3', 80)).toBe(1);
    expect(establishedIn(table, '10.244.2.4', 80)).toBe(0);
  });
});

describe('outside addresses', () => {
  it('finds the smallest block of both', () => {
    expect(blockOf(['172.18.0.2', '172.18.0.4'])).toBe('172.18.0.0/29');
    expect(blockOf(['10.0.0.5', '192.168.0.1'])).toBe('0.0.0.0/0');
    expect(blockOf(['10.0.0.5'])).toBe('10.0.0.5/32');
  });
  it('keeps ports out of the NodePorts', () => {
    const port = outsidePort('podlab-4-1c-a1b2c3');
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(25_000);
  });
});
