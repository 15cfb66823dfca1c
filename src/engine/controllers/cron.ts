/** Times of cron(5): five fields, lists, ranges, steps, names of months and days, and @hourly and its like. */

const NAMES = [
  [],
  [],
  [],
  ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
] as const;
const LIMITS: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
];
const SHORTHANDS: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** A schedule: the first time after another one. */
export interface Schedule {
  /** In ms since 1970, at a full minute, in UTC; undefined when there is none within five years. */
  next(after: number): number | undefined;
}

/** @throws Error that says what is wrong */
export function parseSchedule(text: string): Schedule {
  const every = /^@every (?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text.trim());
  if (every) {
    const [hours, minutes, seconds] = every.slice(1).map((part) => Number(part ?? 0)) as [
      number,
      number,
      number,
    ];
    const period = (hours * 3_600 + minutes * 60 + seconds) * 1_000;
    if (period === 0) throw new Error(`empty period in ${text}`);
    return { next: (after) => after + period };
  }
  const fields = (SHORTHANDS[text.trim()] ?? text).trim().split(/\s+/);
  if (fields.length !== 5) throw new Error(`expected exactly 5 fields, found ${fields.length}: [${text}]`);
  const sets = fields.map((field, i) => parseField(field, i));
  const [minutes, hours, days, months, weekdays] = sets as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ];
  if (weekdays.has(7)) weekdays.add(0);
  // When both are restricted, either is enough (cron(5)).
  const anyDay = fields[2]?.startsWith('*') ?? false;
  const anyWeekday = fields[4]?.startsWith('*') ?? false;
  const onDay = (date: Date) => {
    const day = days.has(date.getUTCDate());
    const weekday = weekdays.has(date.getUTCDay());
    return anyDay || anyWeekday ? day && weekday : day || weekday;
  };
  return {
    next(after) {
      const date = new Date(Math.floor(after / 60_000) * 60_000 + 60_000);
      const end = after + 5 * 366 * 86_400_000;
      while (date.getTime() <= end) {
        if (!months.has(date.getUTCMonth() + 1) || !onDay(date)) date.setUTCHours(24, 0, 0, 0);
        else if (!hours.has(date.getUTCHours())) date.setUTCMinutes(60, 0, 0);
        else if (!minutes.has(date.getUTCMinutes())) date.setUTCMinutes(date.getUTCMinutes() + 1, 0, 0);
        else return date.getTime();
      }
      return undefined;
    },
  };
}

function parseField(field: string, index: number): Set<number> {
  const [low, high] = LIMITS[index] as readonly [number, number];
  const names: readonly string[] = NAMES[index] ?? [];
  const number = (text: string): number => {
    const at = names.indexOf(text.toLowerCase());
    const value = at >= 0 ? at + (index === 3 ? 1 : 0) : /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= low && value <= high)) throw new Error(`value out of range or unreadable: ${text}`);
    return value;
  };
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step] = part.split('/');
    const [from, to] =
      range === '*' || range === '?'
        ? [low, high]
        : range.includes('-')
          ? (range.split('-').map(number) as [number, number])
          : [number(range), step === undefined ? number(range) : high];
    const by = step === undefined ? 1 : Number(step);
    if (!(by >= 1)) throw new Error(`step of range should be a positive number: ${part}`);
    for (let value = from; value <= to; value += by) found.add(value);
  }
  return found;
}
