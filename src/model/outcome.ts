/**
 * What became of a connection attempt, in the words of agnhost's `connect` (kubernetes/kubernetes
 * test/images/agnhost/connect): TIMEOUT, REFUSED, DNS; CONNECTED is its silent success and UNREACHABLE
 * its `OTHER: ... no route to host / network is unreachable`.
 */
export const OUTCOMES = ['CONNECTED', 'REFUSED', 'TIMEOUT', 'DNS', 'UNREACHABLE'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Marks of a truth table: `.` allowed, `X` blocked, `?` not asked. */
export const mark = (outcome: Outcome | undefined): string =>
  outcome === undefined ? '?' : outcome === 'CONNECTED' ? '.' : 'X';
