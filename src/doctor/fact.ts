/** One thing that is known of this machine. */
import type { Text } from '../model/text.ts';

export interface Fact {
  /** Stable, for JSON: `docker`, `ip-vs` … */
  readonly id: string;
  readonly title: Text;
  /** `lack`: something of the kit cannot work without it; `note`: worth knowing, something else works instead. */
  readonly state: 'ok' | 'lack' | 'note';
  /** What was found, and what it is for. */
  readonly detail: Text;
  /** The exact command that mends it, where there is one. */
  readonly mend?: string;
}
