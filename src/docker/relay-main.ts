/**
 * The relay's own process: `relay-main.ts PORT ENGINE_PID ENGINE_START`, started inside the engine's network
 * namespace, handed a listening socket of the host's by its parent. See `relay.ts`.
 */
import { connect, type Server, type Socket } from 'node:net';
import { alive } from '../exec/lock.ts';

const LOOK_EVERY_MS = 2_000;
const [port, pid, start] = process.argv.slice(2);
const engine = { pid: Number(pid), start: start ?? '' };

const join = (outer: Socket) => {
  const inner = connect({ port: Number(port), host: '127.0.0.1' });
  outer.pipe(inner).pipe(outer);
  const end = () => {
    outer.destroy();
    inner.destroy();
  };
  for (const socket of [outer, inner]) {
    socket.setNoDelay(true);
    socket.on('error', end);
    socket.on('close', end);
  }
};

process.once('message', (_message, server) => {
  (server as Server).on('connection', join);
  process.send?.('ready');
});
process.once('disconnect', () => undefined); // The parent has gone on; we stay for as long as the engine does.
setInterval(() => {
  if (!alive(engine)) process.exit(0);
}, LOOK_EVERY_MS);
