/** Lists of HTTP statuses as specs write them: "2xx", "404", 404. */

/** By status: whether it is in the list. */
export type Statuses = readonly boolean[];

const STATUS_END = 600;

/** The statuses from 200 on that a list names. */
export function statusesOf(patterns: readonly (string | number)[]): Statuses {
  const wanted = patterns.map(String);
  const isIn = (status: string): boolean => wanted.includes(status) || wanted.includes(`${status[0]}xx`);
  return Array.from({ length: STATUS_END }, (_, status) => status >= 200 && isIn(String(status)));
}
