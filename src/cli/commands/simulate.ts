/**
 * `weir simulate`: what a spec would do against a described target, played through by the product's own lanes and Run
 * in virtual time.
 * Starts nothing, calls nothing, needs no runtime.
 */
import { createReadStream, statSync } from "node:fs";
import { createGunzip } from "node:zlib";
import { parseRate } from "../../core/limiter/rate.ts";
import { estimateCost } from "../../core/plan/cost.ts";
import { configuredPerSecond } from "../../core/run/run.ts";
import type { Spec } from "../../core/spec.ts";
import { parseDuration } from "../../core/time.ts";
import { deadlineMs } from "../../core/window/deadline.ts";
import { parseSpec } from "../../runSpec/schema.ts";
import { chart } from "../../sim/chart.ts";
import { NO_FAULTS, type SimOptions, type Span, type TargetOptions } from "../../sim/options.ts";
import { type SimReport, simulate } from "../../sim/simulate.ts";
import { countLines, countRecords } from "../countItems.ts";
import { CommandError, EXIT, UsageError } from "../exit.ts";
import { type Arguments, type Flags, shown } from "../flags/arguments.ts";
import { type Draft, draftSpec } from "../flags/draft.ts";
import { latencyFlag } from "../latency.ts";
import { printJson } from "../rows/output.ts";
import { print } from "../stdout.ts";
import { count, duration } from "../words/printable.ts";

const MOST_ITEMS = 10_000_000;
/** A simulation gives up after this much simulated time. */
const MOST_DAYS = 7;
const DAY_MS = 86_400_000;
const LATENCY_MS = 200;
const LATENCY_SPREAD = 0.4;
const BURST = 100;

/** Returns the exit code: whatever the run would come to, simulating it is not a failure. */
export async function simulateCommand({ words, flags }: Arguments): Promise<number> {
  const seed = flags.wholeNumber("seed", { least: 0, most: 2 ** 31 }) ?? 0;
  const said = saidOfTarget(flags);
  const draft = draftSpec(words, flags, parseSpec, itemsAlone(flags));
  const parsed = parseSpec(draft.spec);
  if (parsed.kind === "invalid") throw new UsageError(`${draft.nameOf(parsed.path)}: ${parsed.message}`);
  const spec = withoutTokens(parsed.spec);
  const target = targetOf(said, spec);
  const items = await itemsOf(draft, spec, flags);
  // Hours are those of today; without them the same seed plays the same at any time.
  const nowMs = Date.now();
  const begins = spec.window == null ? {} : { epochMs: nowMs };
  const report = await simulate(optionsOf({ spec, items, seed, target, ...begins }));
  if (report.violation !== null && report.violation.rule !== "liveness")
    throw new CommandError(
      `the simulation broke a rule, ${report.violation.rule}: ${report.violation.message}`,
    );
  if (flags.has("json")) printJson({ ...summary(report), deadline: deadlineOf(report, nowMs) });
  else print(`${[...lines(report), ...deadlineLines(report, nowMs)].join("\n")}\n`);
  return EXIT.ok;
}

/** A spec for items of which only the number is given; null where it is not, or they are at hand. */
function itemsAlone(flags: Flags): Draft["spec"] | null {
  const items = flags.wholeNumber("items", { least: 1, most: MOST_ITEMS });
  if (items === null || flags.has("input")) return null;
  const source = { kind: "range", from: 0, to: items };
  return { source, task: { kind: "http", url: "https://target.example/{{item}}" } };
}

/** Tokens and budgets are not simulated: the lanes and requests of the run are. */
function withoutTokens(spec: Spec): Spec {
  const { quota } = spec;
  const requests = quota?.requests == null ? null : { ...quota, tokens: null, tokenBurst: null };
  if (quota?.tokens != null || spec.budget != null)
    process.stderr.write("tokens and budget are not simulated: only lanes, requests and their rate are\n");
  if (spec.quota?.perHost != null)
    process.stderr.write("hosts are not simulated: quota.perHost may make it slower than what follows\n");
  return { ...spec, quota: requests, budget: null };
}

function optionsOf(of: Pick<SimOptions, "spec" | "items" | "seed" | "target" | "epochMs">): SimOptions {
  const faults = NO_FAULTS;
  const safetyMs = MOST_DAYS * DAY_MS;
  return {
    ...of,
    place: "embedded",
    invocations: 1,
    faults,
    safetyMs,
    livenessMs: 0,
    bug: null,
    isForPeople: true,
  };
}

/** What the flags say of the target: rate in calls a second, mean latency in milliseconds; null is not said. */
function saidOfTarget(flags: Flags) {
  return {
    perSecond: rateFlag(flags, "target-rate"),
    burst: flags.wholeNumber("target-burst", { least: 1, most: 1_000_000 }),
    latencyMs: latencyFlag(flags),
    missing: shareFlag(flags, "missing"),
    errors: shareFlag(flags, "errors"),
    outages: flags.all("outage").flatMap((text) => outageFlag(text, flags)),
  };
}

/** What is not said of the target is taken from the spec. */
function targetOf(said: ReturnType<typeof saidOfTarget>, spec: Spec): TargetOptions {
  const perSecond = said.perSecond ?? configuredPerSecond(spec);
  const burst = said.burst ?? spec.quota?.burst ?? BURST;
  return {
    limit: perSecond === null ? null : { perSecond, burst },
    // Of a log-normal distribution with that mean, the median.
    latencyMs: (said.latencyMs ?? LATENCY_MS) / Math.exp(LATENCY_SPREAD ** 2 / 2),
    latencySpread: LATENCY_SPREAD,
    mostLatencyMs: 30_000,
    missing: said.missing,
    errors: said.errors,
    saysRetryAfter: true,
    outages: said.outages,
    poison: [],
  };
}

function rateFlag(flags: Flags, name: string): number | null {
  const text = flags.get(name);
  if (text === null) return null;
  const rate = parseRate(text);
  return rate.kind === "invalid" ? flags.refuse(name, `--${name}: ${rate.message}`) : rate.perSecond;
}

function shareFlag(flags: Flags, name: string): number {
  const text = flags.get(name);
  if (text === null) return 0;
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return Number(percent) / 100;
  flags.refuse(name, `--${name}: ${shown(text)} is not a share; accepted: 0% to 100%`);
  return 0;
}

/** "5m+10s": after 5 minutes, for 10 seconds. */
function outageFlag(text: string, flags: Flags): readonly Span[] {
  const [from = "", length = ""] = text.split("+");
  const fromMs = parseDuration(from);
  const lengthMs = parseDuration(length);
  if (fromMs !== null && lengthMs !== null) return [{ fromMs, toMs: fromMs + lengthMs }];
  flags.refuse("outage", `--outage: ${shown(text)}; accepted: START+LENGTH, as in 5m+10s`);
  return [];
}

/** How many items the spec's source has. */
async function itemsOf(draft: Draft, spec: Spec, flags: Flags): Promise<number> {
  const given = flags.wholeNumber("items", { least: 1, most: MOST_ITEMS });
  const items = given ?? (draft.input === null ? itemsInSpec(spec) : await itemsInFile(draft.input));
  if (items === null)
    throw new UsageError(`--items is missing: how many a source of kind ${spec.source.kind} gives`);
  if (items > MOST_ITEMS)
    throw new UsageError(
      `${count(items)} items are too many to simulate; accepted: --items up to ${count(MOST_ITEMS)}`,
    );
  return items;
}

function itemsInSpec({ source }: Spec): number | null {
  const { items, from = 0, to, step = 1 } = source;
  if (source.kind === "items" && Array.isArray(items)) return items.length;
  if (
    source.kind !== "range" ||
    typeof from !== "number" ||
    typeof to !== "number" ||
    typeof step !== "number"
  )
    return null;
  return Math.max(1, Math.ceil((to - from) / step));
}

async function itemsInFile({ file, limit, isCsv }: NonNullable<Draft["input"]>): Promise<number> {
  const bytes = file === null ? process.stdin : await unpacked(file);
  const items = isCsv ? await countRecords(bytes) : await countLines(bytes);
  return Math.min(items, limit ?? Number.POSITIVE_INFINITY);
}

async function unpacked(file: string): Promise<AsyncIterable<Uint8Array>> {
  // A pipe can be read only once.
  if (!statSync(file).isFile()) return createReadStream(file);
  for await (const head of createReadStream(file, { end: 1 })) {
    const isGzip = head[0] === 0x1f && head[1] === 0x8b;
    if (isGzip) return createReadStream(file).pipe(createGunzip());
  }
  return createReadStream(file);
}

function summary(report: SimReport) {
  const { options, timeline } = report;
  const { items, seed, spec } = options;
  return {
    seed,
    items,
    status: report.violation === null ? report.status : "running",
    why: report.why,
    seconds: report.tookMs / 1000,
    calls: report.calls,
    throttled: report.throttled,
    ok: report.ok,
    failed: report.failed,
    perSecond: perSecond(report),
    limitPerSecond: configuredPerSecond(spec),
    worstSecond: timeline.worstSecond,
    neededBurst: Math.round(report.neededBurst * 10) / 10,
    lanes: report.mostUnderWay,
    costUsd: costUsd(report),
    callsPerSecond: timeline.calls,
  };
}

function lines(report: SimReport): readonly string[] {
  const { options, timeline } = report;
  const limit = configuredPerSecond(options.spec);
  const isOver = report.violation === null;
  const of =
    limit === null ? "" : ` of ${count(limit)}/s (${((100 * perSecond(report)) / limit).toFixed(1)} %)`;
  return [
    ...picture(report),
    "",
    isOver
      ? `${report.status} after ${duration(report.tookMs)}: ${report.why}`
      : `not over after ${MOST_DAYS} days: ${report.why}`,
    `items    ${count(report.ok)} ok, ${count(report.failed)} failed, of ${count(options.items)}`,
    `rate     ${count(perSecond(report))}/s on average${of}, at most ${count(timeline.worstSecond)} in any second`,
    `calls    ${count(report.calls)}, ${count(report.throttled)} of them answered 429, at most ${count(report.mostUnderWay)} at once`,
    `cost     Cloudflare: about $${costUsd(report).toFixed(2)} beyond your plan (local: free)`,
  ];
}

/** Whether the deadline is kept by a run that starts now; null without one. */
function deadlineOf({ options, tookMs, violation }: SimReport, nowMs: number) {
  const { deadline } = options.spec;
  const dueMs = deadline == null ? null : deadlineMs(deadline, nowMs);
  if (dueMs === null) return null;
  const lateMs = nowMs + tookMs - dueMs;
  const isMissed = lateMs > 0 || violation !== null;
  return { at: new Date(dueMs).toISOString(), missedBySeconds: isMissed ? Math.ceil(lateMs / 1000) : null };
}

function deadlineLines(report: SimReport, nowMs: number): readonly string[] {
  const deadline = deadlineOf(report, nowMs);
  if (deadline === null) return [];
  const { at, missedBySeconds } = deadline;
  return [
    `deadline ${at}: ${missedBySeconds === null ? "met" : `missed by ${duration(missedBySeconds * 1000)}`}`,
  ];
}

/** Calls a second over time, with the 429s below where there were any. */
function picture(report: SimReport): readonly string[] {
  const { calls, throttled } = report.timeline;
  const width = Math.min(72, Math.max(20, (process.stdout.columns ?? 80) - 10));
  const most = Math.max(1, ...slices(calls), configuredPerSecond(report.options.spec) ?? 0);
  const rows = chart(calls, { width, height: 8, most });
  const label = (text: string) => text.padStart(8);
  return [
    "calls a second",
    ...rows.map((row, at) => `${label(at === 0 ? count(most) : at === rows.length - 1 ? "0" : "")} ${row}`),
    ...(report.throttled === 0
      ? []
      : [
          `${label("429s")} ${chart(throttled, { width, height: 1, most: Math.max(1, ...slices(throttled)) })[0]}`,
        ]),
    `${label("")} 0 s${duration(report.tookMs).padStart(Math.max(0, Math.min(width, calls.length) - 3))}`,
  ];
}

/** The greatest of each thousand: a spread of all of them would be too many arguments. */
function slices(values: readonly number[]): readonly number[] {
  const greatest: number[] = [];
  for (let at = 0; at < values.length; at += 1000) greatest.push(Math.max(...values.slice(at, at + 1000)));
  return greatest;
}

function perSecond({ calls, timeline }: SimReport): number {
  const spanMs = timeline.lastMs - (timeline.firstMs ?? 0);
  return spanMs === 0 ? calls : Math.round((calls * 10_000) / spanMs) / 10;
}

function costUsd(report: SimReport): number {
  const { items, spec } = report.options;
  const chunks = Math.ceil(items / spec.chunkSize);
  const cost = estimateCost({
    items,
    chunks,
    chunkSize: spec.chunkSize,
    lanes: report.mostUnderWay,
    seconds: report.tookMs / 1000,
  });
  return Math.round(cost.usd * 10_000) / 10_000;
}
