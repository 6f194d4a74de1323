/** Named targets in lines of text. */
import { describeRate } from "../../core/limiter/rate.ts";
import { number } from "../../core/sentence.ts";
import type { HolderView, TargetView } from "../../core/target/targetView.ts";
import { printable } from "./printable.ts";

/** One target in a line: its name and how it is. */
export function targetLine({ name, why }: TargetView): string {
  return `${name}  ${printable(why)}`;
}

/** One target in full, a line for each run that holds or wants a part of it. */
export function targetLines(view: TargetView): readonly string[] {
  const fields: readonly (readonly [string, string | null])[] = [
    ["target", view.name],
    ["rate", view.requests],
    ["burst", view.burst === null ? null : number(view.burst)],
    ["tokens", view.tokens],
    ["parallel", view.maxParallelism === null ? null : number(view.maxParallelism)],
    ["reserve", view.reserve === 0 ? null : reserveOf(view)],
    ["why", view.why],
    ["created", view.createdAt],
    ["used by", view.runs.length === 0 ? "no run" : view.runs.join(", ")],
  ];
  const holders = view.holders.filter(isOfInterest);
  return [
    ...fields.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(9)} ${printable(value)}`])),
    ...(holders.length === 0 ? [] : ["shares"]),
    ...holders.map((holder) => `  ${holderLine(holder)}`),
  ];
}

function holderLine({ run, weight, share, wants, waiting }: HolderView): string {
  const amounts = [
    ...(share.perSecond === null ? [] : [rate(share.perSecond)]),
    ...(share.tokensPerSecond === null ? [] : [`${number(share.tokensPerSecond * 60)} tokens/min`]),
    ...(share.lanes === null ? [] : [`${number(share.lanes)} at once`]),
  ];
  const limited = wants.perSecond === null ? "wants more" : `can use ${rate(wants.perSecond)}`;
  const words = [
    run,
    amounts.join(", ") || "no limit",
    ...(weight === 1 ? [] : [`weight ${weight}`]),
    ...(share.perSecond === null ? [] : [limited]),
    ...(waiting ? ["waits for what others still hold"] : []),
  ];
  return words.join("  ");
}

function reserveOf({ reserve, reservedPerSecond }: TargetView): string {
  const now = reservedPerSecond === null ? "" : `, now ${rate(reservedPerSecond)}`;
  return `${Number((reserve * 100).toFixed(4))} %${now}`;
}

/** A run that paused or ended stays until its last instants are over. */
function isOfInterest({ share, wants }: HolderView): boolean {
  return [share, wants].some(({ perSecond, tokensPerSecond, lanes }) =>
    [perSecond, tokensPerSecond, lanes].some((amount) => amount !== 0),
  );
}

function rate(perSecond: number): string {
  return perSecond === 0 ? "0/s" : describeRate(perSecond);
}
