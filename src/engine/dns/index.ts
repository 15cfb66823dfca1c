/**
 * CoreDNS: the cluster's names, answered as CoreDNS does with kubeadm's Corefile.
 *
 * `createCoreDns({client, node, sockets})` is one replica as a Component: it answers on the sockets that `sockets` opens
 * (in the namespace of its pod) while it runs. `createAnswer(client)` is the same without sockets: a message in, a message out.
 */
import type { Client } from '../client/types.ts';
import type { Component } from '../component.ts';
import { ClusterNames } from './records.ts';
import { createResolver } from './resolver.ts';
import { serveDns, type AnswerFunction, type DnsSockets } from './server.ts';
import type { Rcode } from './wire.ts';

export type { AnswerFunction, DnsSockets } from './server.ts';

export interface DnsOptions {
  readonly client: Client;
  /** Of the cluster; `cluster.local` unless given. */
  readonly domain?: string;
  /** How names outside the cluster are answered: there is nobody to ask. REFUSED unless given. */
  readonly upstream?: Rcode;
}

export interface CoreDnsOptions extends DnsOptions {
  /** The node that the replica's pod runs on. */
  readonly node: string;
  readonly sockets: DnsSockets;
}

/** Answers to DNS messages out of the objects of a cluster; `stop` ends its watches. */
export function createAnswer(options: DnsOptions): { answer: AnswerFunction; stop: () => void } {
  const domain = (options.domain ?? 'cluster.local').toLowerCase();
  const names = new ClusterNames(options.client, domain);
  const answer = createResolver(names, { domain, upstream: options.upstream ?? 'REFUSED' });
  return { answer, stop: () => names.stop() };
}

/** One replica of CoreDNS. */
export function createCoreDns(options: CoreDnsOptions): Component {
  let stop: (() => void) | undefined;
  return {
    name: 'coredns',
    node: options.node,
    get running() {
      return stop !== undefined;
    },
    async start() {
      if (stop) return;
      const { answer, stop: forget } = createAnswer(options);
      stop = forget; // Already while the sockets open, so that a second start does nothing.
      try {
        const close = await serveDns(answer, options.sockets);
        stop = () => {
          close();
          forget();
        };
      } catch (error) {
        forget();
        stop = undefined;
        throw error;
      }
    },
    stop() {
      stop?.();
      stop = undefined;
      return Promise.resolve();
    },
  };
}
