/** `weir plan`: what a spec would do, how long it would take, what it would cost. Starts nothing, calls no target. */

import type { PromptCost } from "../../core/plan/promptCost.ts";
import type { PlannedStep } from "../../core/plan/when.ts";
import type { SmokeSpec } from "../../core/spec.ts";
import { connect } from "../connection.ts";
import { EXIT } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { draftSpec } from "../flags/draft.ts";
import { latencyFlag } from "../latency.ts";
import { printJson } from "../rows/output.ts";
import { print } from "../stdout.ts";
import { uploadInput } from "../upload.ts";
import { count, counted, duration, printable } from "../words/printable.ts";
import { promptLine } from "../words/promptLine.ts";
import { askAboutSpec } from "./run.ts";

interface Plan {
  readonly items: number;
  readonly chunks: number;
  readonly limitedBy: string;
  readonly etaSeconds: number;
  readonly window: { readonly isOpen: boolean; readonly changesAt: string | null } | null;
  readonly ramp: readonly PlannedStep[] | null;
  readonly deadline: Deadline | null;
  readonly callMs: number;
  readonly costUsd: number;
  readonly smoke: SmokeSpec | null;
  readonly prompts: PromptCost | null;
  readonly warnings: readonly string[];
  readonly firstRequest: FirstRequest | null;
}

interface Deadline {
  readonly at: string;
  readonly missedBySeconds: number | null;
  readonly isKnown: boolean;
  readonly perSecond: number | null;
  readonly lanes: number | null;
}

interface FirstRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export async function planCommand({ words, flags }: Arguments): Promise<number> {
  const callMs = latencyFlag(flags);
  const draft = draftSpec(words, flags);
  const query = callMs === null ? {} : { callMs };
  const connection = await connect(flags, "plan", true);
  try {
    if (draft.input !== null) await uploadInput(connection.client, draft.input);
    const plan = await askAboutSpec(draft, () =>
      connection.client.ask<Plan>("POST", "/v1/plans", { json: draft.spec, query }),
    );
    if (flags.has("json")) printJson(plan);
    else print(`${planLines(plan).join("\n")}\n`);
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

const LIMITED_BY: Readonly<Record<string, string>> = {
  quota: "the quota",
  lanes: "the number of lanes",
  items: "the number of items",
};

function planLines(plan: Plan): readonly string[] {
  return [
    `${counted(plan.items, "item")} in ${counted(plan.chunks, "chunk")}`,
    `about ${duration(plan.etaSeconds * 1000)} if a call takes ${count(plan.callMs)} ms, limited by ${LIMITED_BY[plan.limitedBy] ?? printable(plan.limitedBy)}`,
    ...(plan.window === null ? [] : [windowLine(plan.window)]),
    ...(plan.ramp === null ? [] : [rampLine(plan.ramp)]),
    ...(plan.deadline === null ? [] : [deadlineLine(plan.deadline, plan.etaSeconds)]),
    `Cloudflare cost: about $${plan.costUsd.toFixed(2)} beyond your plan (local: free)`,
    ...(plan.smoke === null ? [] : [stageLine(plan.smoke)]),
    ...(plan.prompts === null ? [] : [promptLine(plan.prompts, plan.items)]),
    ...(plan.firstRequest === null ? [] : requestLines(plan.firstRequest)),
    ...plan.warnings.map((warning) => `warning: ${printable(warning)}`),
  ];
}

function windowLine({ isOpen, changesAt }: NonNullable<Plan["window"]>): string {
  if (changesAt === null) return `window: always ${isOpen ? "open" : "shut"}`;
  return isOpen ? `window: open until ${changesAt}` : `window: shut; no call leaves before ${changesAt}`;
}

/** Steps that are shown one by one. */
const STEPS_SHOWN = 10;

function rampLine(steps: readonly PlannedStep[]): string {
  const shown =
    steps.length <= STEPS_SHOWN ? steps : [...steps.slice(0, STEPS_SHOWN - 1), ...steps.slice(-1)];
  const texts = shown.map(({ afterSeconds, ratePerSecond, lanes }, at) => {
    const limits = ratePerSecond === null ? "" : `${rateText(ratePerSecond)}/s with `;
    const gap = at > 0 && at === shown.length - 1 && shown.length < steps.length ? "… " : "";
    const after = afterSeconds === 0 ? "" : ` after ${duration(afterSeconds * 1000)}`;
    return `${gap}${limits}${counted(lanes, "lane")}${after}`;
  });
  return `ramp, if each step is clean: ${texts.join(", ")}`;
}

function deadlineLine(
  { at, missedBySeconds, isKnown, perSecond, lanes }: Deadline,
  etaSeconds: number,
): string {
  if (!isKnown) return `deadline ${at}: whether it is kept is known when the items are listed`;
  const takes =
    perSecond === null || lanes === null
      ? "no rate would keep it"
      : `it takes ${rateText(perSecond)}/s and ${counted(lanes, "lane")} at least`;
  if (missedBySeconds !== null)
    return `deadline ${at}: missed by ${duration(missedBySeconds * 1000)}; ${takes}`;
  const spareMs = Date.parse(at) - Date.now() - etaSeconds * 1000;
  return `deadline ${at}: met, with ${duration(spareMs)} to spare; ${takes}`;
}

function rateText(perSecond: number): string {
  return perSecond >= 100 ? count(perSecond) : String(perSecond);
}

function stageLine({ items, gate, maxFailureRate }: SmokeSpec): string {
  const then =
    gate === "manual"
      ? "it waits for approval"
      : `it goes on by itself where at most ${Math.round(maxFailureRate * 1000) / 10} % of them failed, else it waits for approval`;
  return `smoke stage: the first ${items === 1 ? "item goes" : `${count(items)} items go`} alone, then ${then}`;
}

function requestLines(request: FirstRequest): readonly string[] {
  return [
    `first request: ${printable(request.method)} ${printable(request.url)}`,
    ...Object.entries(request.headers).map(([name, value]) => `  ${printable(`${name}: ${value}`)}`),
    ...(request.body === null ? [] : [`  ${printable(request.body)}`]),
  ];
}
