/** Policies speak of labels: selectors of one peer are AND, peers of a list are OR, and a label that changes counts at once. */
import type { Observation } from '../../src/model/observation.ts';
import { derive } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { connect, reached } from '../connect.ts';
import type { Claim, PodWish } from '../experiment.ts';
import { policy } from '../policies.ts';
import { askTable, marksOf, port80 } from '../tables.ts';
import { forgottenAllowAll } from './sabotages.ts';

/** Clients: namespace (own or team=blue) x app x env. */
const CLIENTS = ['own', 'blue'].flatMap((space) =>
  ['frontend', 'backend'].flatMap((app) => ['prod', 'test'].map((env) => ({ space, app, env }))),
);
type Client = (typeof CLIENTS)[number];
const nameOf = ({ space, app, env }: Client) => `${space}-${app}-${env}`;

const inBlue = { namespaceSelector: { matchLabels: { team: 'blue' } } };
const frontends = {
  podSelector: {
    matchLabels: { app: 'frontend' },
    matchExpressions: [{ key: 'env', operator: 'In', values: ['prod'] }],
  },
};

const claim: Claim = {
  id: '4.1a',
  on: [['enforcing']],
  needs: [],
  seconds: 14,
  async experiment(stage) {
    const blue = await stage.anotherNamespace('blue', { team: 'blue' });
    const wishes: Record<string, PodWish> = { nginx: { node: 1, labels: { app: 'nginx' } } };
    for (const client of CLIENTS)
      wishes[nameOf(client)] = {
        labels: { app: client.app, env: client.env },
        namespace: client.space === 'blue' ? blue : stage.namespace,
      };
    const made = await stage.pods(wishes);
    const nginx = made['nginx']!;
    const clients = CLIENTS.map((client) => made[nameOf(client)]!);

    /** Marks of all clients towards nginx:80, in the order of CLIENTS. */
    const row = async (): Promise<Observation<string>> =>
      derive((await askTable(stage, clients, [port80(nginx)])).seen, (table) =>
        marksOf(table).replaceAll(' ', ''),
      );
    const settled = (what: string, expected: string) =>
      stage.until(
        text(`the table under ${what}`, `${what} 之下的真值表`),
        row,
        (marks) => marks === expected,
        {
          within: 20_000,
        },
      );
    const marks = (open: (client: Client) => boolean) =>
      CLIENTS.map((one) => (open(one) ? '.' : 'X')).join('');
    const isolate = (from: object[]) =>
      stage.apply(policy('who', { selects: { app: 'nginx' }, ingress: [{ from }] }));
    const names = CLIENTS.map(nameOf).join(', ');
    const wish = (id: string, en: string, zh: string) => ({
      id,
      question: text(`${en}: ${names}`, `${zh}：${names}`),
    });

    const all = marks(() => true);
    await stage.control(
      wish('no policy', 'who reaches nginx:80, no policy', '无策略时谁能访问 nginx:80'),
      is(all),
      settled('no policy', all),
    );

    const and = marks((one) => one.space === 'blue' && one.app === 'frontend' && one.env === 'prod');
    await isolate([{ ...inBlue, ...frontends }]);
    await stage.decisive(
      wish('AND', 'namespace AND pod labels in one peer', '同一个 peer 中命名空间与 Pod 标签（AND）'),
      is(and),
      settled('AND', and),
    );

    const changing = made['blue-frontend-test']!;
    await stage.kube.patch(
      { apiVersion: 'v1', kind: 'Pod', name: changing.name, namespace: changing.namespace },
      { metadata: { labels: { env: 'prod' } } },
    );
    await stage.decisive(
      {
        id: 'label added',
        question: text(
          `${changing.name} -> nginx:80, now labelled env=prod`,
          `${changing.name} 改为 env=prod 之后 -> nginx:80`,
        ),
      },
      reached,
      stage.until(
        text('the new label counts', '新标签生效'),
        () => connect(stage, changing, nginx.ip, 80),
        (outcome) => outcome === 'CONNECTED',
        { within: 20_000 },
      ),
    );
    await stage.kube.patch(
      { apiVersion: 'v1', kind: 'Pod', name: changing.name, namespace: changing.namespace },
      { metadata: { labels: { env: 'test' } } },
    );

    // A podSelector that stands alone means pods of the policy's own namespace.
    const or = marks((one) => one.space === 'blue' || (one.app === 'frontend' && one.env === 'prod'));
    await isolate([inBlue, frontends]);
    const seen = await settled('OR', or);
    await stage.decisive(
      wish('OR', 'namespace OR pod labels as two peers', '命名空间与 Pod 标签分为两个 peer（OR）'),
      is(or),
      seen,
    );
    await stage.control(
      {
        id: 'AND is not OR',
        question: text('clients that OR admits and AND does not', 'OR 放行而 AND 不放行的客户端数'),
      },
      is([...or].filter((mark, index) => mark !== and[index]).length),
      derive(seen, (marks) => [...marks].filter((mark, index) => mark !== and[index]).length),
    );
  },
  sabotages: [forgottenAllowAll('ingress')],
};
export default claim;
