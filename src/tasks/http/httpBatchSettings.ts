/**
 * What a spec says about calls that carry several items, parsed once; and what it must not say.
 *
 * `{{items}}` is the list of a call's items: in JSON a list, anywhere else their texts separated by commas.
 */
import type { ResultsPlace } from "../../core/batch.ts";
import { pointerSteps } from "../../core/jsonPointer.ts";
import { type BodyTemplate, parseBodyTemplate } from "../../core/template/bodyTemplate.ts";
import { insertionsOf, secretsOf, type Template } from "../../core/template/template.ts";
import type { Complaint } from "../task.ts";
import type { HttpSettings } from "./httpSchema.ts";
import type { HttpPlan } from "./httpSettings.ts";

export interface BatchPlan {
  readonly each: BodyTemplate | null;
  /** Null: an expected answer means that all went well. */
  readonly results: ResultsPlace | null;
  /** Where in a result its own status stands; null: it is looked for in a 207. */
  readonly statusAt: readonly string[] | null;
}

type PlannedBatch =
  | { readonly kind: "ok"; readonly plan: BatchPlan | null }
  | { readonly kind: "invalid"; readonly complaint: Complaint };

/** Parses `each` and the pointers; a plan of null: every item has a call of its own. */
export function planBatch(settings: HttpSettings): PlannedBatch {
  const { batch = 1, each = null, results, resultStatus, match = null } = settings;
  if (batch === 1) {
    const given = (["each", "results", "resultStatus", "match"] as const).find(
      (key) => settings[key] !== undefined,
    );
    if (given === undefined) return { kind: "ok", plan: null };
    return invalid(given, 'is for calls with several items; accepted with "batch" above 1');
  }
  if (match !== null && results === undefined)
    return invalid("match", 'needs "results": where in the answer they are');
  if (resultStatus !== undefined && results === undefined)
    return invalid("resultStatus", 'needs "results": where in the answer they are');
  const statusAt = resultStatus === undefined ? null : pointerSteps(resultStatus);
  const place: ResultsPlace | null = results === undefined ? null : placeOf(results, match);
  if (each === null) return { kind: "ok", plan: { each: null, results: place, statusAt } };
  const parsed = parseBodyTemplate(each, "application/json");
  if (parsed.kind === "invalid") return invalid("each", parsed.message);
  const { templates } = parsed.value;
  if (templates.some((template) => secretsOf(template).length > 0))
    return invalid("each", "holds a secret; put it into the body or a header");
  if (templates.some((template) => insertionsOf(template, "all").length > 0))
    return invalid("each", "stands for one item; accepted are {{item}} and {{item.field}}");
  if (!templates.some((template) => insertionsOf(template, "one").length > 0))
    return invalid("each", "has no {{item}}, so every item would be the same");
  return { kind: "ok", plan: { each: parsed.value, results: place, statusAt } };
}

function placeOf(results: string, match: NonNullable<HttpSettings["match"]> | null): ResultsPlace {
  const at = pointerSteps(results);
  if (match === null) return { at, match: null };
  return { at, match: { item: pointerSteps(match.item), result: pointerSteps(match.result) } };
}

function invalid(path: string, message: string): PlannedBatch {
  return { kind: "invalid", complaint: { path, message } };
}

/** What settings and templates (all that a request is made of) do not allow together. */
export function complainAboutBatch(
  settings: HttpSettings,
  plan: HttpPlan,
  templates: readonly Template[],
): Complaint | null {
  const [ones, all] = (["one", "all"] as const).map((which) =>
    templates.some((template) => insertionsOf(template, which).length > 0),
  );
  if (plan.batch === null) {
    return all ? { path: "batch", message: '{{items}} stands for several items; set "batch" above 1' } : null;
  }
  if (ones) {
    return {
      path: "batch",
      message: "one call carries several items: accepted are {{items}} and {{items.field}}",
    };
  }
  if (plan.url.origin === null) {
    return { path: "url", message: "must have its host written out: one call carries several items" };
  }
  if (plan.batch.results !== null && settings.value !== "auto" && settings.value !== "json") {
    return { path: "results", message: 'needs a JSON answer; accepted with "value": "auto" or "json"' };
  }
  return null;
}
