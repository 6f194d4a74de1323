/** What the scenes of `npm run faults` share: how a run is started, and figures with the bounds they are held to. */
import type { RunView } from "../../src/core/run/runView.ts";
import type { Target } from "../../test/support/targetOptions.ts";
import { until } from "../../test/support/until.ts";
import { type Finished, idLines, type WeirProcess, type Workspace } from "../../test/support/weir.ts";

export const FLAGS = ["--rate", "1000/s", "--parallel", "100", "--chunk", "200"];

/** What a figure has to be; absent: it is told for its own sake. */
export type Bound = { readonly most: number } | { readonly least: number } | { readonly is: number };

export interface Figure {
  readonly name: string;
  readonly value: string | number;
  readonly bound?: Bound;
}

export interface Told {
  /** One sentence, Markdown. */
  readonly title: string;
  readonly figures: readonly Figure[];
}

/** One kind of bad weather: a fresh folder and a fresh target each. */
export type Scene = (place: Workspace, target: Target) => Promise<Told>;

export function figure(name: string, value: string | number, bound?: Bound): Figure {
  return bound === undefined ? { name, value } : { name, value, bound };
}

/** True unless the figure misses its bound. */
export function isMet({ value, bound }: Figure): boolean {
  if (bound === undefined) return true;
  const n = Number(value);
  if ("most" in bound) return n <= bound.most;
  return "least" in bound ? n >= bound.least : n === bound.is;
}

/** A run of `ids` ids with the real command. */
export function startIds(
  place: Workspace,
  target: Target,
  ids: number,
  flags: readonly string[] = FLAGS,
  env: Readonly<Record<string, string>> = {},
): WeirProcess {
  place.write("ids.txt", idLines(ids));
  const url = `${target.url}/v1/users/{{item}}`;
  const args = ["run", "--input", "ids.txt", "--url", url, "--out", "rows.jsonl", "--json", ...flags];
  return place.start(args, env);
}

export async function calls(target: Target, atLeast: number): Promise<void> {
  await until(`${atLeast} calls`, async () => (await target.stats()).calls >= atLeast, 60_000);
}

export function viewOf(ended: Finished): RunView {
  if (ended.stdout.trim() === "") throw new Error(`weir ended with ${ended.exitCode}: ${ended.stderr}`);
  return JSON.parse(ended.stdout) as RunView;
}

export async function throttled(target: Target): Promise<number> {
  return (await target.stats()).perStatus["429"] ?? 0;
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
