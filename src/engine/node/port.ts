/** What the API server asks of the nodes: exec, attach, logs, port-forward. */
import type { Duplex, Readable } from 'node:stream';
import type { ContainerStreams, ExecResult, KubeletPort, LogOptions } from '../api/kubelet-port.ts';
import { ApiError, type KubeObject } from '../client/types.ts';
import { Container } from './container.ts';
import { ExecFailed, execute } from './exec.ts';
import type { Kubelet } from './kubelet.ts';
import type { PodWorker } from './pod-worker.ts';
import type { ContainerRecord } from './record.ts';

const refuse = (code: number, reason: string, message: string): ApiError =>
  new ApiError({ code, reason, message });

export class NodesPort implements KubeletPort {
  readonly #kubelets: ReadonlyMap<string, Kubelet>;

  /** @param kubelets by the name of their node */
  constructor(kubelets: ReadonlyMap<string, Kubelet>) {
    this.#kubelets = kubelets;
  }

  #worker(pod: KubeObject): PodWorker {
    const node = pod.spec?.nodeName as string | undefined;
    if (node === undefined)
      throw refuse(400, 'BadRequest', `pod ${pod.metadata.name} does not have a host assigned`);
    const kubelet = this.#kubelets.get(node);
    if (kubelet === undefined || !kubelet.running) {
      const address = pod.status?.hostIP ?? node;
      throw refuse(500, 'InternalError', `dial tcp ${address}:10250: connect: connection refused`);
    }
    const worker = kubelet.worker(pod.metadata.uid);
    if (worker === undefined)
      throw refuse(404, 'NotFound', `pod ${pod.metadata.name} does not exist on node ${node}`);
    return worker;
  }

  #record(pod: KubeObject, container: string): ContainerRecord {
    const record = this.#worker(pod).records.find((one) => one.def.name === container);
    if (record === undefined)
      throw refuse(404, 'NotFound', `container ${container} not found in pod ${pod.metadata.name}`);
    return record;
  }

  #running(pod: KubeObject, name: string): Container {
    const record = this.#record(pod, name);
    if (!record.isRunning || record.running === undefined)
      throw refuse(500, 'InternalError', `container not found ("${name}")`);
    if (!(record.running instanceof Container))
      throw new ExecFailed(
        'failed to exec in container: this program is a part of the engine and has no shell, as in an image without one',
      );
    return record.running;
  }

  async exec(
    pod: KubeObject,
    container: string,
    argv: readonly string[],
    streams: ContainerStreams,
  ): Promise<ExecResult> {
    return execute(this.#running(pod, container), argv, streams);
  }

  async attach(pod: KubeObject, name: string, streams: ContainerStreams): Promise<ExecResult> {
    const container = this.#running(pod, name);
    const leave = container.onOutput((stream, piece) => {
      const to = stream === 'stderr' ? (streams.stderr ?? streams.stdout) : streams.stdout;
      to?.write(piece);
    });
    if (container.pty !== undefined) {
      const { pty } = container;
      streams.onResize((size) => pty.resize(size.width, size.height));
    }
    const input = container.stdin as NodeJS.WritableStream | undefined;
    if (input !== undefined && streams.stdin !== undefined) {
      streams.stdin.on('data', (piece: Buffer) => input.write(piece));
      if (container.pty === undefined) streams.stdin.on('end', () => input.end());
    }
    const gone = new Promise<undefined>((resolve) =>
      streams.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
    );
    const exit = await Promise.race([container.exited, gone]);
    leave();
    return { exitCode: exit?.code ?? 0 };
  }

  async logs(pod: KubeObject, name: string, options: LogOptions): Promise<Readable> {
    const record = this.#record(pod, name);
    const { state } = record;
    const source = options.previous ? record.previous : record.running;
    if (source === undefined) {
      if (options.previous)
        throw refuse(
          400,
          'BadRequest',
          `previous terminated container "${name}" in pod "${pod.metadata.name}" not found`,
        );
      const reason = 'waiting' in state ? state.waiting.reason : 'ContainerCreating';
      throw refuse(
        400,
        'BadRequest',
        reason === 'ErrImagePull' || reason === 'ImagePullBackOff'
          ? `container "${name}" in pod "${pod.metadata.name}" is waiting to start: trying and failing to pull image`
          : `container "${name}" in pod "${pod.metadata.name}" is waiting to start: ${reason}`,
      );
    }
    return source.log.read(options);
  }

  portForward(pod: KubeObject, port: number): Promise<Duplex> {
    const { sandbox } = this.#worker(pod);
    if (sandbox === undefined) throw refuse(500, 'InternalError', 'pod has no network');
    return new Promise((resolve, reject) => {
      const socket = sandbox.net.connect('127.0.0.1', port);
      socket.once('connect', () => resolve(socket));
      socket.once('error', (error) =>
        reject(
          new Error(
            `failed to connect to localhost:${port} inside namespace "${sandbox.id}": ${error.message}`,
          ),
        ),
      );
    });
  }
}
