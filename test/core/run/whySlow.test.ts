import { describe, expect, it } from "vitest";
import { view } from "../../../src/core/run/view.ts";
import { why } from "../../../src/core/run/why.ts";
import type { Spec } from "../../../src/core/spec.ts";
import { commitOf, Invocation, plannedRun, report } from "../../support/coreRun.ts";

/** A run of which one invocation with five lanes says every quarter of a second what it saw. */
class Working {
  readonly run;
  readonly #lanes;
  #nowMs = 0;

  constructor(spec: Partial<Spec>) {
    this.run = plannedRun(1000, { chunkSize: 10, maxParallelism: 5, ...spec });
    this.#lanes = new Invocation(this.run, "a");
    this.#lanes.ask(0);
  }

  calls(seconds: number, perSecond: number, callMs: number): this {
    for (let quarter = 0; quarter < seconds * 4; quarter++) {
      this.#nowMs += 250;
      const calls = perSecond / 4;
      this.#lanes.ask(this.#nowMs, { report: report({ calls, answered: calls, callMs: calls * callMs }) });
    }
    return this;
  }

  throttled(items: number): this {
    const troubles = Array.from({ length: items }, (_, index) => ({
      kind: "throttled" as const,
      index,
      epoch: this.run.state.quota.epoch,
      retryAfterMs: null,
      probe: false,
    }));
    this.#lanes.ask(++this.#nowMs, { report: report({ calls: items, throttled: items, troubles }) });
    return this;
  }

  failedLane(sentence: string): this {
    const [lease] = this.#lanes.held.values();
    const handedBack = { ...commitOf(lease!, 0), part: null, trouble: sentence };
    this.#lanes.ask(++this.#nowMs, { commits: [handedBack] });
    return this;
  }

  get reader() {
    return { nowMs: this.#nowMs, wallMs: this.#nowMs, driven: true };
  }

  get why(): string {
    return why(this.run, this.reader);
  }
}

const quota = (requests: string) => ({ requests, burst: null });

describe("why a run is not faster", () => {
  it("says what the lanes give where they are the limit", () => {
    expect(new Working({}).calls(10, 20, 250).why).toBe("lanes: 5 lanes × 250 ms give 20/s; no quota is set");
    expect(new Working({ quota: quota("100/s") }).calls(10, 20, 250).why).toBe(
      "lanes: 5 lanes × 250 ms give 20/s; 25 lanes would reach the quota",
    );
  });

  it("says what the lanes could give and what is there where they wait for something else", () => {
    expect(new Working({}).calls(10, 4, 250).why).toMatch(
      /^lanes: 5 lanes × 250 ms could give 20\/s, now 4[.\d]*\/s; no quota is set$/,
    );
  });

  it("names throttling also where no quota is set, and the rate that it came to", () => {
    const run = new Working({}).calls(10, 20, 250).throttled(1);
    expect(run.why).toMatch(/^throttled by the target: calling at [\d.]+\/s and growing$/);
    expect(view(run.run, run.reader).rate.effectiveLimitPerSecond).toBeGreaterThan(0);
  });

  it("counts the pacing of a lane as its call", () => {
    const pacing = { minIntervalMs: 900, jitterMs: 200 };
    expect(new Working({ pacing }).calls(10, 4, 100).why).toBe(
      "lanes: 5 lanes × 1000 ms give 5/s; no quota is set",
    );
  });

  it("claims nothing of lanes before a call has ended", () => {
    expect(new Working({}).why).toBe("the first calls are under way");
  });

  it("repeats what a lane failed by until a part is committed", () => {
    const run = new Working({}).calls(5, 20, 250).failedLane("a lane failed: it cannot be read");
    expect(run.why).toBe("a lane failed: it cannot be read; its chunk is tried again");
  });
});
