/** Sabotages that several claims suffer. */
import { text } from '../../src/model/text.ts';
import type { Sabotage } from '../experiment.ts';
import { policy } from '../policies.ts';

/** Policies add up (Kubernetes: Network Policies): one forgotten `allow all` undoes every isolation of its direction. */
export const forgottenAllowAll = (direction: 'ingress' | 'egress', at = 'start'): Sabotage => ({
  id: `allow-all-${direction}`,
  title: text(
    `somebody left a policy that allows all ${direction}`,
    `有人遗留了一条放行全部${direction === 'ingress' ? '入' : '出'}方向流量的策略`,
  ),
  at,
  apply: async (stage) => {
    await stage.apply(policy('left-over', { [direction]: [{}] }));
  },
});

/** Changes the selector of one Service the moment it is made. */
export const wrongSelector = (
  service: string,
  selector: Readonly<Record<string, string>>,
  id = 'wrong-selector',
): Sabotage => ({
  id,
  title: text(
    `the selector of Service ${service} is ${JSON.stringify(selector)}`,
    `Service ${service} 的选择器被写成 ${JSON.stringify(selector)}`,
  ),
  at: 'service',
  apply: async (stage, subject) => {
    if (subject?.metadata.name !== service) return;
    await stage.kube.patch(subject, [{ op: 'replace', path: '/spec/selector', value: selector }], {
      type: 'json',
    });
  },
});
