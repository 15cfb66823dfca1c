/** Names as calico's felix gives them (projectcalico/calico felix/rules/rule_defs.go, libcalico-go names). */
import { createHash } from 'node:crypto';

/** The host end of a pod's veth: `cali` and 11 hex digits of sha1(namespace.pod) (libcalico-go VethNameForWorkload). */
export const vethName = (namespace: string, pod: string): string =>
  `cali${createHash('sha1').update(`${namespace}.${pod}`).digest('hex').slice(0, 11)}`;

/** A short word that stands for a long one: URL-safe base64 of its sha256. */
const hash = (word: string, length: number): string =>
  createHash('sha256').update(word).digest('base64url').slice(0, length);

/** The comment that felix tags each rule of its own with, made of the chain, the rules before and the rule. */
export const ruleTag = (chain: string, soFar: string, rule: string): string =>
  `cali:${hash(`${chain}\n${soFar}\n${rule}`, 16)}`;

/** `cali-pi-_…` (ingress) and `cali-po-_…` (egress) of one NetworkPolicy; iptables allows 28 characters. */
export const policyChain = (direction: 'in' | 'out', namespace: string, name: string): string =>
  `cali-p${direction === 'in' ? 'i' : 'o'}-_${hash(`${namespace}/knp.default.${name}`, 19)}`;

/** Chains of one workload interface: to it (`tw`) and from it (`fw`). */
export const workloadChain = (direction: 'in' | 'out', veth: string): string =>
  `cali-${direction === 'in' ? 'tw' : 'fw'}-${veth}`;

/** An ipset: `s:` selected addresses, `n:` addresses with a named port, `b:` blocks of addresses. */
export const setName = (kind: 's' | 'n' | 'b', meaning: string): string =>
  `cali40${kind}:${hash(meaning, 22)}`;
