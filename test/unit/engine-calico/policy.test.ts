import { describe, expect, it } from 'vitest';
import { meaningOf, selects, type Endpoint } from '../../../src/engine/calico/policy.ts';
import { filterChains } from '../../../src/engine/calico/rules.ts';
import { blockOf } from '../../../src/engine/calico/blocks.ts';
import { policyChain, vethName, workloadChain } from '../../../src/engine/calico/names.ts';
import type { KubeObject } from '../../../src/engine/client/types.ts';

const pod = (name: string, ip: string, labels: Record<string, string>, namespace = 'lab'): Endpoint => ({
  namespace,
  name,
  ip,
  labels,
  ports: [{ name: 'web', port: 80, protocol: 'TCP' }],
});
const policy = (name: string, spec: object): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: 'lab' },
  spec,
});
const nginx = pod('nginx', '10.244.1.2', { app: 'nginx' });
const frontend = pod('a', '10.244.1.3', { app: 'frontend' });
const stranger = pod('a', '10.244.2.3', { app: 'frontend' }, 'other');
const spaces = new Map([
  ['lab', { team: 'lab' }],
  ['other', { team: 'other' }],
]);
const meaning = (...policies: KubeObject[]) => meaningOf(policies, [nginx, frontend, stranger], spaces);
const members = (of: ReturnType<typeof meaning>) => [...of.sets.values()].map((set) => [...set.members]);

describe('what a NetworkPolicy means to felix', () => {
  it('a podSelector peer is the pods of the policy’s own namespace', () => {
    const from = [{ podSelector: { matchLabels: { app: 'frontend' } } }];
    expect(members(meaning(policy('p', { podSelector: {}, ingress: [{ from }] })))).toEqual([['10.244.1.3']]);
  });

  it('AND: both selectors in one peer; OR: two peers', () => {
    const app = { podSelector: { matchLabels: { app: 'frontend' } } };
    const team = { namespaceSelector: { matchLabels: { team: 'other' } } };
    expect(
      members(meaning(policy('and', { podSelector: {}, ingress: [{ from: [{ ...app, ...team }] }] }))),
    ).toEqual([['10.244.2.3']]);
    expect(members(meaning(policy('or', { podSelector: {}, ingress: [{ from: [app, team] }] })))).toEqual([
      ['10.244.1.3'],
      ['10.244.2.3'],
    ]);
  });

  it('an ipBlock keeps its exceptions, and a prefix of length 0 is written as its halves', () => {
    const ipBlock = { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] };
    const set = members(meaning(policy('p', { podSelector: {}, egress: [{ to: [{ ipBlock }] }] })));
    expect(set).toEqual([['0.0.0.0/1', '128.0.0.0/1', '10.0.0.0/8 nomatch']]);
  });

  it('policyTypes: Egress is isolated only when it is named or has rules', () => {
    const directions = (spec: object) =>
      meaning(policy('p', { podSelector: {}, ...spec })).sides.map((side) => side.direction);
    expect(directions({})).toEqual(['in']);
    expect(directions({ egress: [{}] })).toEqual(['in', 'out']);
    expect(directions({ policyTypes: ['Egress'] })).toEqual(['out']);
  });

  it('NotIn and DoesNotExist are met by pods without the label', () => {
    expect(selects({ matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['1'] }] }, {})).toBe(true);
    expect(selects({ matchExpressions: [{ key: 'x', operator: 'DoesNotExist' }] }, { x: '' })).toBe(false);
  });
});

describe('the chains of felix', () => {
  it('an isolated pod ends in a drop, one that is not in its namespace’s profile', () => {
    const chains = filterChains(
      [nginx, frontend],
      meaning(policy('deny', { podSelector: { matchLabels: { app: 'nginx' } } })),
    );
    const to = (one: Endpoint) =>
      chains.get(workloadChain('in', vethName(one.namespace, one.name)))!.join('\n');
    expect(to(nginx)).toContain(policyChain('in', 'lab', 'deny'));
    expect(to(nginx)).toContain('Drop if no policies passed packet');
    expect(to(frontend)).not.toContain('Drop if no policies passed packet');
    expect(chains.get(policyChain('in', 'lab', 'deny'))).toEqual([]);
  });

  it('an interface that is not known is dropped', () => {
    expect(filterChains([], meaning()).get('cali-to-wl-dispatch')!.at(-1)).toContain('-j DROP');
  });

  it('chain names fit into the 28 characters of iptables', () => {
    const long = pod('x'.repeat(63), '10.244.1.9', { app: 'nginx' }, 'n'.repeat(63));
    for (const chain of filterChains([long], meaning()).keys()) expect(chain.length).toBeLessThanOrEqual(28);
  });

  it('a block is the /26 that an address is in', () => {
    expect(blockOf('10.244.1.77')).toBe('10.244.1.64/26');
  });
});
