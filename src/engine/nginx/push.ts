/** Writes files into a running container that runs nginx, and makes nginx read its configuration again. */
import { PassThrough } from 'node:stream';
import type { KubeletPort } from '../api/kubelet-port.ts';
import type { KubeObject } from '../client/types.ts';

/** A container of nginx that is running now. */
export interface Instance {
  readonly pod: KubeObject;
  readonly container: string;
  /** Of this run of the container: a new one has to be told everything. */
  readonly id: string;
  readonly args: readonly string[];
}

/** The running containers of an image in a pod. */
export function instancesOf(pod: KubeObject, image: RegExp): Instance[] {
  type Container = { name: string; image: string; args?: string[]; command?: string[] };
  return (pod.spec?.containers ?? []).flatMap((container: Container) => {
    if (!image.test(container.image)) return [];
    const status = pod.status?.containerStatuses?.find(
      (one: { name: string }) => one.name === container.name,
    );
    if (!status?.state?.running || !status.containerID) return [];
    const args = [...(container.command ?? []), ...(container.args ?? [])];
    return [{ pod, container: container.name, id: status.containerID, args }];
  });
}

/**
 * Writes the files; `conf` is the one that nginx runs with. A configuration that nginx refuses changes nothing.
 * @returns what nginx said against it, or undefined when it took it
 */
export async function push(
  kubelet: Pick<KubeletPort, 'exec'>,
  { pod, container }: Instance,
  files: ReadonlyMap<string, string>,
  conf: string,
): Promise<string | undefined> {
  const script = [
    'set -e',
    `cp ${conf} ${conf}.last`,
    ...[...files].map(([path, content]) => {
      const encoded = Buffer.from(content).toString('base64');
      return `base64 -d > ${path}.new <<'END'\n${encoded}\nEND\nmv ${path}.new ${path}`;
    }),
    `if nginx -t -q -c ${conf}; then nginx -c ${conf} -s reload; else mv ${conf}.last ${conf}; exit 1; fi`,
  ].join('\n');
  const stdin = new PassThrough();
  stdin.end(script);
  let said = '';
  const output = new PassThrough();
  output.on('data', (piece: Buffer) => (said += piece.toString('utf8')));
  const { exitCode } = await kubelet.exec(pod, container, ['sh'], {
    stdin,
    stdout: output,
    stderr: output,
    tty: false,
    onResize: () => undefined,
    signal: new AbortController().signal,
  });
  return exitCode === 0 ? undefined : said.trim() || `exit code ${exitCode}`;
}

/** A string that nginx reads as itself: quotes end a string and `$` begins a variable, so neither is let through. */
export const quoted = (value: string): string =>
  `"${value.replace(/[\\"]/g, '\\$&').replace(/[$\r\n]/g, '')}"`;

/** A string as a regular expression for itself. */
export const literal = (value: string): string =>
  value.replace(/[.*+?^${}()|[\]\\/"-]/g, '\\$&').replace(/[\r\n]/g, '');
