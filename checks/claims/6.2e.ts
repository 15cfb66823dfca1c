/** A Service is both: a name that is found, and a spread over its pods; both go with it. */
import { is, that } from '../../src/model/row.ts';
import { same, text } from '../../src/model/text.ts';
import { blocked, connect, isBlocked } from '../connect.ts';
import { dns, dnsSaid } from '../dns.ts';
import type { Claim } from '../experiment.ts';
import { spread, type Spread } from '../spread.ts';
import { wrongSelector } from './sabotages.ts';

const DRAWS = 300;
const CACHED = { within: 40_000 };

const claim: Claim = {
  id: '6.2e',
  on: [['any']],
  needs: [],
  seconds: 8,
  async experiment(stage) {
    const labels = { app: 'web' };
    const { a, w0, w1, w2 } = await stage.pods({
      a: { node: 0 },
      w0: { node: 0, labels },
      w1: { node: 1, labels },
      w2: { node: 1, labels },
    });
    const ports = [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }];
    const web = await stage.service('web', { selector: labels, spec: { ports } });
    await stage.service('headless', { selector: labels, spec: { clusterIP: 'None', ports } });
    const name = `web.${stage.namespace}.svc`;
    /** Asks DNS until it says what is expected; the last answer is the row. */
    const resolved = (of: string, expected: (said: string) => boolean, type: 'A' | 'SRV' = 'A') =>
      stage.until(
        text(`DNS answers for ${of}`, `DNS 应答 ${of}`),
        async () => dnsSaid(await dns(stage, a, of, type)),
        expected,
        CACHED,
      );

    await stage.decisive(
      { id: 'name', question: same(`DNS ${name} A`) },
      that(
        text(`its ClusterIP ${web.clusterIP}`, `它的 ClusterIP ${web.clusterIP}`),
        (said: string) => said === web.clusterIP,
      ),
      resolved(name, (said) => said === web.clusterIP),
    );
    const portOf = (said: string) => / 80 web\./.test(` ${said}`);
    await stage.decisive(
      { id: 'port', question: same(`DNS _http._tcp.${name} SRV`) },
      that(text('port 80 of web', 'web 的 80 端口'), portOf),
      resolved(`_http._tcp.${name}`, portOf, 'SRV'),
    );
    const three = [w0, w1, w2]
      .map((pod) => pod.ip)
      .sort()
      .join(' ');
    await stage.decisive(
      { id: 'headless', question: same(`DNS headless.${stage.namespace}.svc A`) },
      that(text('the addresses of its three pods', '三个 Pod 的地址'), (said: string) => said === three),
      resolved(`headless.${stage.namespace}.svc`, (said) => said === three),
    );
    // Each of three gets 100 of 300 with a standard deviation of 8: 60 to 140 holds but once in a million.
    const even = ({ answered }: Spread) =>
      Object.keys(answered).length === 3 && Object.values(answered).every((n) => n >= 60 && n <= 140);
    await stage.until(
      text('the Service spreads over its pods', 'Service 分发到各个 Pod'),
      () => spread(stage, a, web.clusterIP, 60),
      ({ answered }) => Object.keys(answered).length === 3,
      { within: 15_000 },
    );
    await stage.decisive(
      {
        id: 'spread',
        question: text(`who answers ${DRAWS} requests to web`, `${DRAWS} 次请求 web 由谁应答`),
      },
      that(text('each of three about a third', '三个 Pod 各约三分之一'), even),
      spread(stage, a, web.clusterIP, DRAWS),
    );

    await stage.remove(web.object);
    await stage.control(
      {
        id: 'name gone',
        question: text(`DNS ${name} after the Service was deleted`, `删除 Service 之后的 DNS ${name}`),
      },
      is('NXDOMAIN'),
      resolved(name, (said) => said === 'NXDOMAIN'),
    );
    await stage.control(
      { id: 'address gone', question: text('A -> the old ClusterIP :80', 'A -> 原 ClusterIP:80') },
      blocked,
      stage.until(
        text('the ClusterIP is dead', 'ClusterIP 不通'),
        () => connect(stage, a, web.clusterIP, 80),
        isBlocked,
      ),
    );
  },
  sabotages: [wrongSelector('web', { app: 'nobody' })],
};
export default claim;
