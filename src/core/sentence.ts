/** Words for numbers, as the sentences of `why` write them. */

/** "1 item", "1,500 items". */
export function counted(n: number, noun: string): string {
  return `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** Whole from 10 on, else two decimals; thousands are set apart. */
export function number(n: number): string {
  const rounded = n >= 10 ? Math.round(n) : Math.round(n * 100) / 100;
  const [whole, decimals] = String(rounded).split(".");
  const grouped = (whole ?? "0").replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** "8 s", "3 min 20 s", "5 h 12 min", "3 d 4 h". */
export function lasting(ms: number): string {
  const whole = Math.max(0, Math.round(ms / 1000));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, "min", "s");
  if (whole < 86_400) return pair(Math.round(whole / 60), 60, "h", "min");
  return pair(Math.round(whole / 3600), 24, "d", "h");
}

function pair(n: number, base: number, large: string, small: string): string {
  const rest = n % base;
  return rest === 0
    ? `${Math.floor(n / base)} ${large}`
    : `${Math.floor(n / base)} ${large} ${rest} ${small}`;
}

/** Whole seconds, at least one. */
export function seconds(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))} s`;
}
