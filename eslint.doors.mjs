/**
 * Which part may import which, and through which door a library is used.
 *
 * Arrows point inwards (`model` imports nothing of ours), the judge and the judged share no networking code, and each
 * library that does something to the world has one door. docs/decisions/0002-layout-and-words.md says why.
 */
import { posix } from 'node:path';

/** What each part may import of ours beside itself. A part that is not listed may import everything but `cli`. */
const MAY_IMPORT = {
  'src/model': [],
  'src/exec': ['src/model'],
  'src/engine': ['src/exec'],
  'src/oracle': ['src/model'],
  'src/kube': ['src/model', 'src/exec'],
  'src/docker': ['src/model', 'src/exec', 'src/offline'],
  'src/offline': ['src/model', 'src/exec', 'src/docker'],
  'src/cluster': [
    'src/model',
    'src/exec',
    'src/kube',
    'src/docker',
    'src/offline',
    'src/doctor',
    'src/engine/config.ts',
  ],
  'src/doctor': ['src/model', 'src/exec', 'src/docker', 'src/offline', 'src/cluster'],
  checks: ['src/model', 'src/kube', 'src/cluster/port.ts', 'src/labs'],
  'src/labs': ['src/model'],
  'src/run': ['src/model', 'src/exec', 'src/kube', 'src/cluster', 'src/labs', 'src/oracle', 'checks'],
};

/** A library and the only folders that may import it. */
const ONE_DOOR = {
  'node:child_process': ['src/exec', 'scripts', 'test', 'bench'],
  child_process: [],
  '@kubernetes/client-node': ['src/kube', 'test', 'bench'],
  commander: ['src/cli'],
  inquirer: ['src/cli', 'test'],
  zx: ['scripts'],
};

const within = (path, folder) => path === folder || path.startsWith(`${folder}/`);

/** What is wrong with `file` importing `source`, or undefined. Paths are relative to the root. */
export function judgeImport(file, source) {
  if (!source.startsWith('.')) {
    const door = Object.keys(ONE_DOOR).find((name) => within(source, name));
    if (door === undefined || ONE_DOOR[door].some((folder) => within(file, folder))) return undefined;
    return `${door} has one door: ${ONE_DOOR[door].join(', ') || 'write node:child_process'}`;
  }
  const target = posix.normalize(posix.join(posix.dirname(file), source));
  const part = Object.keys(MAY_IMPORT).find((name) => within(file, name));
  if (part === undefined) {
    const reachesCli = within(target, 'src/cli') && !within(file, 'src/cli');
    return reachesCli && within(file, 'src') ? `nothing but the entry imports src/cli` : undefined;
  }
  if (within(target, part) || MAY_IMPORT[part].some((name) => within(target, name))) return undefined;
  return `${part} may import only ${[part, ...MAY_IMPORT[part]].join(', ')}; ${target} is none of them`;
}

/** The ESLint rule; `pathOf` makes a file name relative to the root. */
export const doors = (pathOf) => ({
  meta: { type: 'problem', schema: [] },
  create(context) {
    const file = pathOf(context.filename).replaceAll('\\', '/');
    const look = (node) => {
      if (typeof node.source?.value !== 'string') return;
      const wrong = judgeImport(file, node.source.value);
      if (wrong !== undefined) context.report({ node: node.source, message: wrong });
    };
    return {
      ImportDeclaration: look,
      ImportExpression: look,
      ExportNamedDeclaration: look,
      ExportAllDeclaration: look,
    };
  },
});
