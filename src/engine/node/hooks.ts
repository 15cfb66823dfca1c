/** Lifecycle hooks of containers (Kubernetes: Container Lifecycle Hooks). */
import type { Handler } from './pod-types.ts';
import { ask, type ProbeTarget } from './probes.ts';

/** Runs a hook. @param limit milliseconds @returns why it failed, or undefined */
export async function runHook(
  hook: Handler,
  target: ProbeTarget,
  limit: number,
): Promise<string | undefined> {
  if (hook.sleep !== undefined) {
    const { seconds } = hook.sleep;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(seconds * 1000, limit));
      void target.container.exited.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return undefined;
  }
  const asked = await ask(hook, limit / 1000, target);
  return asked.ok ? undefined : asked.message || 'the hook failed';
}
