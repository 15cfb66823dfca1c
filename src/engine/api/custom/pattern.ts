/**
 * Patterns of schemas that users wrote. JavaScript's regular expressions can take for ever where Go's cannot,
 * so they run under a time limit.
 */
import { createContext, Script, type Context } from 'node:vm';

/** In ms; a pattern that needs longer counts as not matched. */
const LONGEST = 100;

let context: Context | undefined;
let script: Script | undefined;

/** Whether a text matches; a pattern that is no pattern here matches everything. */
export function matches(pattern: string, text: string): boolean {
  let expression: RegExp;
  try {
    // Go's (?i) and \A, \z are not JavaScript's.
    const flags = /^\(\?([ims]+)\)/.exec(pattern);
    expression = new RegExp(pattern.slice(flags?.[0].length ?? 0), `u${flags?.[1] ?? ''}`);
  } catch {
    return true;
  }
  context ??= createContext(Object.create(null) as Context);
  script ??= new Script('expression.test(text)');
  context['expression'] = expression;
  context['text'] = text;
  try {
    return script.runInContext(context, { timeout: LONGEST }) as boolean;
  } catch {
    return false;
  }
}
