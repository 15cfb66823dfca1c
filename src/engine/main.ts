/**
 * The engine's program, in two roles: `relay FOLDER` outside of the sandbox, `engine FOLDER PORT` inside.
 * It is started by src/cluster/embedded; output goes to the cluster's log file.
 */
import { boot } from './cluster.ts';
import { answerSetgroups } from './linux/setgroups.ts';
import { relay } from './relay.ts';

const [, own, role, folder, port] = process.argv;

process.on('uncaughtException', (error) => console.error('defect:', error));
process.on('unhandledRejection', (error) => console.error('defect:', error));

if (role === 'relay' && folder !== undefined) {
  relay(folder, [...process.execArgv, own!]);
} else if (role === 'engine' && folder !== undefined) {
  answerSetgroups();
  boot(folder, Number(port)).catch((error: unknown) => {
    console.error('the cluster could not be made:', error);
    process.exit(1);
  });
} else {
  console.error('usage: main relay FOLDER | main engine FOLDER PORT');
  process.exit(2);
}
