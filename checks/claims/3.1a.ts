/** Finding a Service and reaching its address are two things: DNS and the kubelet do the one, kube-proxy the other. */
import { derive } from '../../src/model/observation.ts';
import { is, isNot } from '../../src/model/row.ts';
import { text } from '../../src/model/text.ts';
import { stop } from '../components.ts';
import { blocked, connect, reached } from '../connect.ts';
import { clusterDomain, dns, dnsSaid } from '../dns.ts';
import { podsBehind } from '../endpoints.ts';
import type { Claim } from '../experiment.ts';
import { at, nodesApart, row, valueOf } from '../places.ts';

const claim: Claim = {
  id: '3.1a',
  on: [['any']],
  needs: ['NodeCommands', 'ClusterScope'],
  disturbs: true,
  seconds: 5,
  async experiment(stage) {
    const [here, there] = nodesApart(stage, 2) as [string, string];
    const { a, web: server } = await stage.pods({ a: at(here), web: at(there, { labels: { app: 'web' } }) });
    const domain = valueOf(await clusterDomain(stage, a));

    // kube-proxy is stopped before the Services exist: it keeps the rules it has (DNS's among them) and makes none for these.
    const proxy = await stop(stage, 'kube-proxy');
    const web = await stage.service('web', { selector: { app: 'web' } });
    const headless = await stage.service('web-h', { selector: { app: 'web' }, spec: { clusterIP: 'None' } });
    const nameOf = (service: { name: string }) => `${service.name}.${stage.namespace}.svc`;
    await stage.until(
      text('the Services have their endpoint', 'Service 得到端点'),
      () => podsBehind(stage, headless),
      (names) => names === server.name,
    );
    const { later } = await stage.pods({ later: at(here) });
    await stage.point('kube-proxy stopped');

    const lookUp = async (service: { name: string }, expected: string) =>
      dnsSaid(
        await stage.until(
          text(`the name ${service.name} is known`, `名字 ${service.name} 可解析`),
          () => dns(stage, a, nameOf(service)),
          ({ data }) => data.includes(expected),
          { within: 12_000 },
        ),
      );
    await stage.decisive(
      row('name, no kube-proxy', 'A looks web up, kube-proxy stopped', 'kube-proxy 停止时 A 解析 web'),
      isNot(web.clusterIP),
      lookUp(web, web.clusterIP),
    );
    await stage.decisive(
      row(
        'headless, no kube-proxy',
        'A looks the headless web-h up, kube-proxy stopped',
        'kube-proxy 停止时 A 解析无头服务 web-h',
      ),
      isNot(server.ip),
      lookUp(headless, server.ip),
    );
    await stage.decisive(
      row(
        'through headless name',
        'A -> web-h:80 by name, kube-proxy stopped',
        'kube-proxy 停止时 A 按名字访问 web-h:80',
      ),
      isNot('CONNECTED'),
      connect(stage, a, `${nameOf(headless)}.${domain}.`, 80),
    );
    await stage.decisive(
      row(
        'environment, no kube-proxy',
        'WEB_SERVICE_HOST in a pod started meanwhile',
        '此时启动的 Pod 中的 WEB_SERVICE_HOST',
      ),
      isNot(web.clusterIP),
      derive(await stage.exec(later, ['sh', '-c', 'echo "$WEB_SERVICE_HOST"']), ({ stdout }) =>
        stdout.trim(),
      ),
    );
    const throughAddress = () => connect(stage, a, web.clusterIP, 80);
    await stage.control(
      row(
        'ClusterIP, no kube-proxy',
        "A -> web's ClusterIP:80, kube-proxy stopped",
        'kube-proxy 停止时 A -> web 的 ClusterIP:80',
      ),
      blocked,
      throughAddress(),
    );

    await proxy.revert();
    await stage.control(
      row('ClusterIP, kube-proxy', 'the same, kube-proxy running', '同上，kube-proxy 运行'),
      reached,
      stage.until(
        text('the ClusterIP answers', 'ClusterIP 应答'),
        throughAddress,
        (outcome) => outcome === 'CONNECTED',
        { within: 90_000 },
      ),
    );

    const resolver = await stop(stage, 'coredns');
    await stage.control(
      row(
        'name, no DNS',
        'A looks web up, CoreDNS stopped and kube-proxy running',
        'CoreDNS 停止、kube-proxy 运行时 A 解析 web',
      ),
      is('NO-ANSWER'),
      dnsSaid(await dns(stage, a, nameOf(web))),
    );
    await stage.control(
      row('ClusterIP, no DNS', "A -> web's ClusterIP:80 at that moment", '同一时刻 A -> web 的 ClusterIP:80'),
      reached,
      throughAddress(),
    );
    await resolver.revert();
    await stage.control(
      row('name, DNS', 'A looks web up, CoreDNS running again', 'CoreDNS 恢复后 A 解析 web'),
      is(web.clusterIP),
      lookUp(web, web.clusterIP),
    );
  },
  sabotages: [
    {
      id: 'dns-dead-too',
      title: text('CoreDNS stops together with kube-proxy', 'CoreDNS 与 kube-proxy 一起停止'),
      at: 'kube-proxy stopped',
      needs: ['NodeCommands'],
      async apply(stage) {
        await stop(stage, 'coredns');
      },
      becomes: ['INCONCLUSIVE'],
    },
  ],
};
export default claim;
