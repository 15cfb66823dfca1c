/** What is wrong with `file` importing `source`, or undefined. Paths are relative to the root. */
export function judgeImport(file: string, source: string): string | undefined;
