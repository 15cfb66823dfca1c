/** Two applications in two namespaces, isolated from each other by policies, and from nothing that they need. */
import { derive, together, type Observation } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { same, text } from '../../src/model/text.ts';
import { dnsAll } from '../dns.ts';
import type { Claim, PodHandle, PodWish } from '../experiment.ts';
import { policy } from '../policies.ts';
import { askTable, marksOf, port80, printTable, type TruthTable } from '../tables.ts';

const APPS = ['a', 'b'] as const;
const NAMES = APPS.flatMap((app) => [0, 1, 2].map((n) => `${app}${n}`));

/** DNS of the cluster, as kubeadm lays it out: pods of kube-system on port 53. */
const DNS = {
  to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }],
  ports: ['UDP', 'TCP'].map((protocol) => ({ port: 53, protocol })),
};

/** Marks of the 6 x 6 table in which an application of the row reaches one of the column. */
const marks = (open: (from: string, to: string) => boolean): string =>
  NAMES.map((from) => NAMES.map((to) => (from === to || open(from[0]!, to[0]!) ? '.' : 'X')).join('')).join(
    ' ',
  );

const claim: Claim = {
  id: '6.2h',
  on: [['enforcing']],
  needs: [],
  seconds: 16,
  async experiment(stage) {
    const space = { a: stage.namespace, b: await stage.anotherNamespace('b') };
    const wishes: Record<string, PodWish> = Object.fromEntries(
      NAMES.map((name, index) => [name, { node: index, namespace: space[name[0] as 'a' | 'b'] }]),
    );
    const made = await stage.pods(wishes);
    const pods: PodHandle[] = NAMES.map((name) => made[name]!);

    let printed: TruthTable | undefined;
    const table = (what: ReturnType<typeof text>, expected: string): Promise<Observation<string>> =>
      stage.until(
        what,
        async () => {
          const { table, seen } = await askTable(
            stage,
            pods,
            pods.map((pod) => port80(pod)),
          );
          printed = table;
          return derive(seen, marksOf);
        },
        (said) => said === expected,
        { within: 25_000 },
      );
    /** What each pod hears of the cluster's DNS, one word when all hear the same. */
    const resolved = async (of: readonly PodHandle[]): Promise<Observation<string>> =>
      derive(
        together(
          await dnsAll(
            stage,
            of.map((from) => ({ from, name: 'kubernetes.default.svc' })),
          ),
        ),
        (answers) => [...new Set(answers.map((one) => one.rcode))].join(' '),
      );
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });
    const egress = (app: 'a' | 'b', dns: boolean) =>
      policy('isolate-egress', {
        namespace: space[app],
        egress: [{ to: [{ podSelector: {} }] }, ...(dns ? [DNS] : [])],
      });
    const ingress = (app: 'a' | 'b') =>
      policy('isolate-ingress', { namespace: space[app], ingress: [{ from: [{ podSelector: {} }] }] });

    const all = marks(() => true);
    await stage.control(
      row('before', 'who reaches whom, no policy', '无策略时谁能访问谁'),
      is(all),
      table(text('all answer', '全部应答'), all),
    );

    for (const app of APPS) {
      await stage.apply(ingress(app));
      await stage.apply(egress(app, true));
    }
    await stage.point('isolated');
    const apart = marks((from, to) => from === to);
    await stage.decisive(
      row('isolated', 'who reaches whom, each namespace isolated', '每个命名空间被隔离后谁能访问谁'),
      is(apart),
      table(text('the applications are apart', '两个应用互相隔离'), apart),
    );
    if (printed) stage.note(same(`\n${printTable(printed)}`));
    await stage.decisive(
      row('DNS', 'what the six pods hear of DNS', '六个 Pod 查询 DNS 的结果'),
      is('NOERROR'),
      stage.until(
        text('DNS answers', 'DNS 应答'),
        () => resolved(pods),
        (said) => said === 'NOERROR',
        { within: 15_000 },
      ),
    );

    await stage.apply(egress('a', false));
    await stage.control(
      row(
        'DNS not allowed',
        "what a's pods hear of DNS when the policy does not allow it",
        '策略不放行 DNS 时应用 a 的查询结果',
      ),
      is('NO-ANSWER'),
      stage.until(
        text('DNS is shut', 'DNS 被挡住'),
        () => resolved(pods.slice(0, 3)),
        (said) => said === 'NO-ANSWER',
        { within: 20_000 },
      ),
    );
    await stage.remove(egress('a', false));
    await stage.remove(ingress('b'));
    const oneWay = marks((from, to) => from === to || from === 'a');
    await stage.control(
      row(
        'two removed',
        "a's egress and b's ingress no longer isolated: who reaches whom",
        '撤去 a 的出方向与 b 的入方向隔离后谁能访问谁',
      ),
      is(oneWay),
      table(text('a reaches b', 'a 可访问 b'), oneWay),
    );
  },
  sabotages: [
    {
      id: 'left-open',
      title: text(
        'both namespaces have a forgotten policy that allows all',
        '两个命名空间都遗留了放行全部流量的策略',
      ),
      at: 'isolated',
      async apply(stage) {
        for (const namespace of [stage.namespace, `${stage.namespace}-b`])
          await stage.apply(policy('left-over', { namespace, ingress: [{}], egress: [{}] }));
      },
    },
  ],
};
export default claim;
