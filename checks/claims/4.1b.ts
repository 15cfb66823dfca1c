/** A Service cannot be named in a policy: there is no such field, and its address is translated before the filter sees it. */
import { derive } from '../../src/model/observation.ts';
import { is } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { apiSaid, createStrictly } from '../api.ts';
import { blocked, reached, settle } from '../connect.ts';
import type { Claim } from '../experiment.ts';
import { pods, policy } from '../policies.ts';
import { forgottenAllowAll } from './sabotages.ts';

const claim: Claim = {
  id: '4.1b',
  on: [['enforcing']],
  needs: [],
  seconds: 10,
  async experiment(stage) {
    const { a, nginx } = await stage.pods({
      a: { node: 0, labels: { app: 'client' } },
      nginx: { node: 1, labels: { app: 'nginx' } },
    });
    const service = await stage.service('nginx-service', { selector: { app: 'nginx' } });
    const egress = (name: string, to: object) =>
      policy(name, { selects: { app: 'client' }, egress: [{ to: [to] }], namespace: stage.namespace });
    const look = (what: ReturnType<typeof text>, open: boolean) =>
      settle(
        stage,
        what,
        {
          service: { from: a, to: service.clusterIP, port: 80, open },
          pod: { from: a, to: nginx.ip, port: 80, open },
        },
        { within: 20_000 },
      );
    const row = (id: string, en: string, zh: string) => ({ id, question: text(en, zh) });

    await stage.decisive(
      row(
        'service as peer',
        'POST of a policy whose peer is a Service, strictly validated',
        '严格校验下 POST 一条以 Service 为 peer 的策略',
      ),
      is('201'),
      derive(
        await createStrictly(stage, egress('to-service', { service: { name: 'nginx-service' } })),
        apiSaid,
      ),
    );
    await stage.control(
      row('pods as peer', 'the same policy with a podSelector', '同一条策略，改用 podSelector'),
      is('201'),
      // Of pods that do not exist, so that it changes nothing here.
      derive(
        await createStrictly(
          stage,
          policy('to-pods', {
            selects: { app: 'nobody' },
            egress: [{ to: [pods({ app: 'nginx' })] }],
            namespace: stage.namespace,
          }),
        ),
        apiSaid,
      ),
    );

    const before = await look(text('the Service answers', 'Service 应答'), true);
    await stage.control(
      row('before', 'A -> nginx-service, A not isolated', 'A 未被隔离：A -> nginx-service'),
      reached,
      before.service,
    );

    await stage.apply(egress('out', { ipBlock: { cidr: `${service.clusterIP}/32` } }));
    const byAddress = await look(text('A is isolated', 'A 被隔离'), false);
    await stage.decisive(
      row(
        'ClusterIP allowed',
        'A -> nginx-service, only its ClusterIP is allowed',
        '只放行 ClusterIP：A -> nginx-service',
      ),
      reached,
      byAddress.service,
    );
    await stage.control(
      row(
        'isolated',
        "A -> nginx pod's address, only the ClusterIP is allowed",
        '只放行 ClusterIP：A -> nginx Pod 的地址',
      ),
      blocked,
      byAddress.pod,
    );

    await stage.apply(egress('out', pods({ app: 'nginx' })));
    const byLabel = await look(text('pods app=nginx are allowed', '放行 app=nginx 的 Pod'), true);
    await stage.control(
      row('pods allowed', 'A -> nginx-service, its pods are allowed', '放行其 Pod：A -> nginx-service'),
      reached,
      byLabel.service,
    );
    await stage.control(
      row('pod direct', "A -> nginx pod's address, pods allowed", '放行其 Pod：A -> nginx Pod 的地址'),
      reached,
      byLabel.pod,
    );
  },
  sabotages: [forgottenAllowAll('egress')],
};
export default claim;
