/** What a container has written: lines with their time, kept in memory up to a limit, for `kubectl logs`. */
import { Readable } from 'node:stream';
import type { LogOptions } from '../api/kubelet-port.ts';

interface Line {
  /** RFC 3339 with nanoseconds, as the CRI log format has it. */
  readonly time: string;
  readonly at: number;
  readonly text: Buffer;
}

/** Bytes kept of one container's output; older lines go first (the kubelet's containerLogMaxSize is 10 Mi). */
const MOST_KEPT = 10 * 1024 * 1024;

export class ContainerLog {
  #lines: Line[] = [];
  #bytes = 0;
  readonly #rest: Record<'stdout' | 'stderr', Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #ended = false;
  readonly #followers = new Set<(line: Line | undefined) => void>();

  /** Takes a piece of output; a line is complete with its newline. */
  append(stream: 'stdout' | 'stderr', piece: Buffer): void {
    let rest = this.#rest[stream].length > 0 ? Buffer.concat([this.#rest[stream], piece]) : piece;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.#add(rest.subarray(0, end + 1));
      rest = rest.subarray(end + 1);
    }
    // A line without end is cut as containerd cuts it, at 16 KiB.
    for (; rest.length > 16_384; rest = rest.subarray(16_384)) this.#add(rest.subarray(0, 16_384));
    this.#rest[stream] = Buffer.from(rest);
  }

  #add(text: Buffer): void {
    const at = Date.now();
    const nanos = process.hrtime.bigint() % 1_000_000n;
    const time = `${new Date(at).toISOString().slice(0, -1)}${String(nanos).padStart(6, '0')}Z`;
    const line = { time, at, text: Buffer.from(text) };
    this.#lines.push(line);
    this.#bytes += text.length;
    while (this.#bytes > MOST_KEPT) this.#bytes -= this.#lines.shift()?.text.length ?? 0;
    for (const follower of this.#followers) follower(line);
  }

  /** The container has ended: followers end too. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#rest[stream].length > 0) this.#add(this.#rest[stream]);
      this.#rest[stream] = Buffer.alloc(0);
    }
    this.#ended = true;
    for (const follower of this.#followers) follower(undefined);
    this.#followers.clear();
  }

  /** The last lines as one text: the termination message of FallbackToLogsOnError. */
  tail(lines: number, bytes: number): string {
    const text = Buffer.concat(this.#lines.slice(-lines).map((line) => line.text)).toString('utf8');
    return text.slice(-bytes);
  }

  /** As the kubelet serves it. */
  read(options: LogOptions): Readable {
    const since =
      options.sinceTime !== undefined
        ? Date.parse(options.sinceTime)
        : options.sinceSeconds !== undefined
          ? Date.now() - options.sinceSeconds * 1000
          : undefined;
    let lines = since === undefined ? [...this.#lines] : this.#lines.filter((line) => line.at >= since);
    if (options.tailLines !== undefined)
      lines = options.tailLines === 0 ? [] : lines.slice(-options.tailLines);
    let left = options.limitBytes ?? Infinity;
    const out = new Readable({ read: () => undefined });
    const write = (line: Line): boolean => {
      const text = options.timestamps ? Buffer.concat([Buffer.from(`${line.time} `), line.text]) : line.text;
      out.push(text.length > left ? text.subarray(0, left) : text);
      left -= text.length;
      return left > 0;
    };
    const done = () => void out.push(null);
    if (!lines.every(write) || !options.follow || this.#ended) {
      done();
      return out;
    }
    const follower = (line: Line | undefined) => {
      if (line !== undefined && write(line)) return;
      this.#followers.delete(follower);
      done();
    };
    this.#followers.add(follower);
    const leave = () => {
      if (!this.#followers.delete(follower)) return;
      done();
    };
    options.signal.addEventListener('abort', leave, { once: true });
    out.on('close', leave);
    return out;
  }
}
