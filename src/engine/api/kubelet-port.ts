/**
 * What the API server asks of the kubelets: commands in containers, their output, connections to their ports.
 * The node side implements it; the API server finds the pod, checks that the container exists in its spec and
 * speaks WebSocket or SPDY with the client. Errors are {@link ApiError}s or plain Errors, whose message is shown.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { KubeObject } from '../client/types.ts';

/** Size of a terminal in characters. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The streams of one exec or attach. Ours: the kubelet reads `stdin`, writes the others and ends none of them. */
export interface ContainerStreams {
  /** Undefined when the client did not ask for standard input. Its end is the end of the client's input. */
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  /** Undefined with a TTY, where all output is one stream. */
  readonly stderr: Writable | undefined;
  readonly tty: boolean;
  /** Calls the listener with the size of the client's terminal now (if known) and at each change. */
  readonly onResize: (listener: (size: TerminalSize) => void) => void;
  /** Aborted when the client has gone: the command is to be ended. */
  readonly signal: AbortSignal;
}

/** How a command ended: its exit code (128 + signal number when a signal ended it). */
export interface ExecResult {
  readonly exitCode: number;
}

/** The query of `kubectl logs` (core/v1 PodLogOptions). */
export interface LogOptions {
  readonly follow: boolean;
  /** Of the container's instance before the last restart. */
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly sinceSeconds: number | undefined;
  /** RFC 3339. */
  readonly sinceTime: string | undefined;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export interface KubeletPort {
  /**
   * Runs argv in a running container and resolves at its end, all output written.
   * Rejects when it could not be started (no such program, container not running).
   */
  exec(
    pod: KubeObject,
    container: string,
    argv: readonly string[],
    streams: ContainerStreams,
  ): Promise<ExecResult>;
  /** Joins the container's main process; resolves when that ends. */
  attach(pod: KubeObject, container: string, streams: ContainerStreams): Promise<ExecResult>;
  /** The container's output, as bytes; ends at once without `follow`, else with the container. */
  logs(pod: KubeObject, container: string, options: LogOptions): Promise<Readable>;
  /** A TCP connection to 127.0.0.1:port inside the pod's network namespace; rejects when it is refused. */
  portForward(pod: KubeObject, port: number): Promise<Duplex>;
}
