/**
 * Writes docs/limits.md from the engine's table of what it does not honour.
 *
 *     npx tsx scripts/engine-limits.ts >docs/limits.md
 */
import { LIMITS, UNSERVED } from '../src/engine/api/coverage.ts';

const EFFECTS = { refused: 'refused (422, with its path)', warned: '`Warning:`' } as const;

export const limitsPage = (): string =>
  [
    '# What the embedded engine does not honour',
    '',
    'Made by `scripts/engine-limits.ts` from `src/engine/api/coverage.ts`; a test compares the two.',
    'What would change networking is refused, and `--cluster kind` is the way out; what cannot is told as a warning.',
    'Fields of a Pod are meant in every pod template too.',
    '',
    '| kind | field | effect | why |',
    '|---|---|---|---|',
    ...LIMITS.map(
      (limit) => `| ${limit.kind} | \`${limit.path}\` | ${EFFECTS[limit.effect]} | ${limit.why} |`,
    ),
    '',
    'Custom resources that say what the network should do, and that nothing in the engine acts upon, are refused:',
    '',
    ...UNSERVED.map((one) => `- ${one.what} (groups \`${one.group.source}\`, kinds \`${one.kind.source}\`)`),
    '',
    'IPv6 and dual-stack Services are refused as on any cluster that has IPv4 only. RBAC objects are stored and not enforced:',
    'whoever is known may do everything. Admission webhooks and policies are never called.',
    '',
  ].join('\n');

if (process.argv[1]?.endsWith('engine-limits.ts')) process.stdout.write(limitsPage());
