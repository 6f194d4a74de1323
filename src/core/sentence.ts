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

/** Whole seconds, at least one. */
export function seconds(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))} s`;
}
