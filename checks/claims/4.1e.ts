/** A policy narrows what an intruder can reach; what comes through the open door it does not read. */
import { derive, notAsked, together, type Observation } from '../../src/model/observation.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import { is, isNot, that } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { connectAll } from '../connect.ts';
import type { Claim, PodHandle, Stage } from '../experiment.ts';
import { http } from '../http.ts';
import { pods, policy } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

/** Ports that the intruder tries; the pods listen on 80 and 81. */
const PORTS = [22, 23, 53, 79, 80, 81, 443, 3306, 5432, 6379, 8080, 9200];
const NAMES = ['nginx', 'db', 'cache', 'mail'] as const;

const claim: Claim = {
  id: '4.1e',
  on: [['enforcing']],
  needs: [],
  seconds: 14,
  async experiment(stage) {
    const made = await stage.pods({
      intruder: { node: 0, labels: { app: 'frontend' } },
      nginx: { node: 1, labels: { app: 'nginx' }, ports: [81] },
      db: { node: 1, labels: { app: 'db' }, ports: [81] },
      cache: { node: 1, labels: { app: 'cache' }, ports: [81] },
      mail: { node: 0, labels: { app: 'mail' }, ports: [81] },
    });
    const { intruder, nginx } = made;
    const targets = NAMES.map((name) => made[name]);
    const scanned = (what: ReturnType<typeof text>, found: string) =>
      stage.until(
        what,
        () => scan(stage, intruder, targets),
        (said) => said === found,
        { within: 25_000 },
      );
    const everything = NAMES.flatMap((name) => [`${name}:80`, `${name}:81`]).join(' ');
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });

    await stage.control(
      row(
        'scan before',
        `what a scan of ${PORTS.length} ports on 4 pods finds, no policy`,
        `无策略：扫描 4 个 Pod 的 ${PORTS.length} 个端口所得`,
      ),
      is(everything),
      scanned(text('all servers listen', '所有服务开始监听'), everything),
    );
    await stage.apply(policy('deny', { ingress: [] }));
    await stage.apply(
      policy('frontend-in', {
        selects: { app: 'nginx' },
        ingress: [{ from: [pods({ app: 'frontend' })], ports: [{ port: 80, protocol: 'TCP' }] }],
      }),
    );
    await stage.decisive(
      {
        ...row(
          'scan after',
          'what the same scan finds when only frontend -> nginx:80 is allowed',
          '只放行 frontend -> nginx:80 时同一扫描所得',
        ),
        under: text('as to which doors are open', '就哪些端口开放而言'),
      },
      that(text('nginx:80 alone', '只有 nginx:80'), (said: string) => said === 'nginx:80'),
      scanned(text('only nginx:80 is open', '只有 nginx:80 开放'), 'nginx:80'),
    );

    const under = text('as to what comes through an open door', '就开放端口中通过的内容而言');
    // A word that harms nobody stands for the attack.
    const marker = `harmless-marker-${stage.namespace}`;
    await stage.decisive(
      {
        ...row(
          'marker',
          'a marker that stands for an attack, sent to nginx:80 and echoed',
          '代表攻击的标记串，发给 nginx:80 并回显',
        ),
        under,
      },
      isNot(marker),
      derive(await http(stage, intruder, `http://${nginx.ip}/echo?msg=${marker}`), (answer) =>
        answer.status === 200 ? answer.body.trim() : answer.outcome,
      ),
    );
    await stage.decisive(
      {
        ...row(
          'other protocol',
          'the first line of SSH instead of HTTP on nginx:80',
          '在 nginx:80 上发送 SSH 的首行而不是 HTTP',
        ),
        under,
      },
      that(text('kept from the server', '被挡在服务之外'), (said: string) => said === 'silence'),
      sendRaw(stage, intruder, nginx, 'SSH-2.0-podlab'),
    );
  },
  sabotages: [{ ...forgottenAllowAll('ingress'), becomes: ['REFUTED'] }],
};
export default claim;

/** The pairs that are open, `pod:port` one after the other. */
async function scan(
  stage: Stage,
  from: PodHandle,
  targets: readonly PodHandle[],
): Promise<Observation<string>> {
  const pairs = targets.flatMap((pod) => PORTS.map((port) => ({ pod, port })));
  const seen = await connectAll(
    stage,
    pairs.map(({ pod, port }) => ({ from, to: pod.ip, port })),
  );
  return derive(together<Outcome>(seen), (outcomes) =>
    pairs
      .filter((_, index) => outcomes[index] === 'CONNECTED')
      .map(({ pod, port }) => `${pod.name}:${port}`)
      .join(' '),
  );
}

/** Sends one line over TCP as it is and waits 3 s for the server's word: what it said, or `silence`. */
async function sendRaw(
  stage: Stage,
  from: PodHandle,
  to: PodHandle,
  line: string,
): Promise<Observation<string>> {
  const script = String.raw`exec 3<>"/dev/tcp/$1/80" || exit 9; printf '%s\r\n\r\n' "$2" >&3; IFS= read -r -t 3 -u 3 said; echo "[$said]"`;
  const seen = await stage.exec(from, ['bash', '-c', script, 'raw', to.ip, line]);
  if (!seen.asked) return seen;
  const said = /^\[(.*?)\r?\]$/m.exec(seen.value.stdout)?.[1];
  if (said === undefined)
    return notAsked(text(`not sent: ${seen.value.stderr}`, `未能发送：${seen.value.stderr}`), ...seen.probes);
  return { ...seen, value: said === '' ? 'silence' : said };
}
