/** A run's report as lines for a person. */
import type { Json } from "../../core/spec.ts";
import { printable } from "./printable.ts";

/** What `GET /v1/runs/:id/report` answers, as far as it is shown. */
export interface Report {
  readonly report: { readonly [field: string]: Json };
  readonly coverage: { readonly text: string };
  readonly fields: { readonly [field: string]: { readonly note: string | null } };
}

/** A line for every field, and how much of the run it covers. */
export function reportLines({ report, coverage, fields }: Report): readonly string[] {
  const width = Math.max(6, ...Object.keys(report).map((field) => field.length));
  const lines = Object.entries(report).map(([field, value]) => {
    const note = fields[field]?.note ?? null;
    return printable(`${field.padEnd(width)}  ${shown(value)}${note === null ? "" : `  (${note})`}`);
  });
  return [`report of ${coverage.text}`, ...lines];
}

function shown(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
