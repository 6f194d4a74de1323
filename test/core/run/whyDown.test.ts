/** What a run says of faults: the last one with its text, since when, and how many items are under retry for it. */
import { describe, expect, it } from "vitest";
import type { Report, Trouble } from "../../../src/core/protocol.ts";
import type { Run } from "../../../src/core/run/run.ts";
import { view } from "../../../src/core/run/view.ts";
import { why } from "../../../src/core/run/why.ts";
import { Invocation, plannedRun, report } from "../../support/coreRun.ts";

const QUOTA = { requests: "100/s", burst: null };

const downs = (count: number, change: Partial<Trouble> = {}): readonly Trouble[] =>
  Array.from({ length: count }, (_, index): Trouble => {
    return { kind: "down", index, epoch: 1, retryAfterMs: null, probe: false, ...change };
  });

/** A run of 500 items of which one invocation reported these calls at 1 s. */
function runWith(change: Partial<Report>, troubles: readonly Trouble[] = []): Run {
  const run = plannedRun(500, { chunkSize: 100, quota: QUOTA });
  const invocation = new Invocation(run, "a");
  invocation.ask(0);
  invocation.ask(1000, {
    report: report({ troubles, troublesSinceAnswer: troubles.length, ...change }),
  });
  return run;
}

const said = (run: Run, nowMs: number) => why(run, { nowMs, wallMs: nowMs, driven: true });

describe("why", () => {
  const refused = { fault: { message: "connection refused by 127.0.0.1:80" } };
  const broken = { fault: { message: "500 Internal Server Error", status: 500 } };

  it("names what was seen of a target that takes no connection, since when, and the next try", () => {
    const run = runWith({ ...refused, retrying: 12 }, downs(10, { unreached: true }));
    expect(said(run, 1500)).toBe(
      "target down: no connection for 1 s, connection refused by 127.0.0.1:80 (12 items under retry); next try in 1 s",
    );
    expect(said(run, 41_000)).toMatch(
      /^target down: no connection for 40 s, .*; a single call is under way$/,
    );
  });

  it("names the answer of a target that fails every call", () => {
    const run = runWith({ ...broken, retrying: 10 }, downs(10));
    expect(said(run, 1200)).toBe(
      "target down: no call was answered for 1 s, the last one ended in: 500 Internal Server Error (10 items under retry); next try in 1 s",
    );
  });

  it("names the last fault and the items under retry while others are answered", () => {
    const run = runWith({ ...broken, answered: 5, retrying: 1 });
    expect(said(run, 1200)).toMatch(
      /; 1 item is under retry, the last fault was: 500 Internal Server Error$/,
    );
  });

  it("says that only items under retry are left", () => {
    const run = runWith({ ...broken, answered: 5, retrying: 500 });
    expect(said(run, 1200)).toBe(
      "the items that are left wait for their next tries; 500 items are under retry, the last fault was: 500 Internal Server Error",
    );
  });

  it("forgets a fault that is over", () => {
    const run = runWith({ ...broken, answered: 5 });
    expect(said(run, 2000)).toContain("the last fault was: 500 Internal Server Error");
    expect(said(run, 12_000)).not.toContain("fault");
  });
});

describe("the view of a run", () => {
  it("has the last fault with status, text, time and the items under retry", () => {
    const fault = { message: "500 Internal Server Error", status: 500 };
    const run = runWith({ fault, answered: 1, retrying: 15 });
    expect(view(run, { nowMs: 2000, wallMs: 60_000, driven: true }).fault).toEqual({
      ...fault,
      at: new Date(59_000).toISOString(),
      retrying: 15,
    });
  });

  it("has none where no call failed", () => {
    const run = runWith({ answered: 1 });
    expect(view(run, { nowMs: 2000, wallMs: 60_000, driven: true }).fault).toBeNull();
  });
});
