/** NetworkPolicy was never served as networking.k8s.io/v1beta1: the article's manifest is refused, and protects nothing. */
import { derive } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { api, apiSaid, served } from '../api.ts';
import { blocked, connect } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { allowNginx } from '../policies.ts';

const OLD = 'networking.k8s.io/v1beta1';
const NEW = 'networking.k8s.io/v1';

const claim: Claim = {
  id: '4.2c',
  on: [['any']],
  needs: [],
  seconds: 4,
  async experiment(stage) {
    const { x, nginx } = await stage.pods({ x: { node: 0 }, nginx: { node: 1, labels: { app: 'nginx' } } });
    const path = (version: string) => `/apis/${version}/namespaces/${stage.namespace}/networkpolicies`;
    /** The article's manifest, in the claim's namespace instead of `default`. */
    const manifest = (apiVersion: string) => {
      const object = allowNginx();
      return { ...object, apiVersion, metadata: { ...object.metadata, namespace: stage.namespace } };
    };
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });

    await stage.decisive(
      row('served', `does ${OLD} serve networkpolicies`, `${OLD} 是否提供 networkpolicies`),
      is(true),
      derive(await served(stage, OLD), (names) => names.includes('networkpolicies')),
    );
    await stage.decisive(
      row('POST', `POST of the article's manifest to ${OLD}`, `把文章的清单 POST 到 ${OLD}`),
      is('201'),
      derive(await api(stage, 'POST', path(OLD), manifest(OLD)), apiSaid),
    );
    await stage.decisive(
      row('POST to v1', `POST of the article's manifest to ${NEW}`, `把文章的清单 POST 到 ${NEW}`),
      is('201'),
      derive(await api(stage, 'POST', path(NEW), manifest(OLD)), apiSaid),
    );
    await stage.decisive(
      row('protection', 'X (not frontend) -> nginx:80 after that', '此后 X（不是 frontend）-> nginx:80'),
      blocked,
      stage.until(
        text('nginx answers', 'nginx 应答'),
        () => connect(stage, x, nginx.ip, 80),
        (outcome) => outcome === 'CONNECTED',
        { within: 10_000 },
      ),
    );
    await stage.control(
      row('v1 served', `does ${NEW} serve networkpolicies`, `${NEW} 是否提供 networkpolicies`),
      is(true),
      derive(await served(stage, NEW), (names) => names.includes('networkpolicies')),
    );
    await stage.control(
      row(
        'v1 accepted',
        'the same manifest with nothing but its apiVersion changed',
        '同一清单，只改 apiVersion',
      ),
      is('201'),
      derive(await api(stage, 'POST', path(NEW), manifest(NEW)), apiSaid),
    );
  },
  sabotages: [
    {
      id: 'already-there',
      title: text('somebody has applied the corrected policy before', '有人先前已经应用了改正后的策略'),
      at: 'start',
      async apply(stage) {
        await stage.apply(allowNginx());
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;
