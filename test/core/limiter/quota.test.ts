import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emissionIntervalMs } from "../../../src/core/limiter/gcra.ts";
import {
  type Ask,
  configureQuota,
  createQuota,
  effectiveRate,
  grant,
  observe,
  type Quota,
  restoreQuota,
} from "../../../src/core/limiter/quota.ts";
import type { Grant, Trouble } from "../../../src/core/protocol.ts";
import { report } from "../../support/coreRun.ts";

const START = 1_700_000_000_000;

/** A Run in miniature: stores the quota when its version says so, and restarts from what was stored. */
class Limiter {
  quota: Quota;
  stored: string;
  nowMs = START;
  /** Every instant ever issued, with the interval in force when it was. */
  readonly issued: { atMs: number; intervalMs: number }[] = [];
  /** Since the last instant was issued: a cut made after a restart cannot know that instant any more. */
  #restarted = false;

  constructor(ratePerSecond: number | null, burst: number | null = null) {
    this.quota = createQuota({ ratePerSecond, burst }, START);
    this.stored = JSON.stringify(this.quota);
  }

  ask(want: number, change: Partial<Ask> = {}): Grant {
    const before = this.quota;
    const given = grant(before, { nowMs: this.nowMs, want, holder: "a", ...change });
    this.#put(given.quota);
    if (given.grant.kind === "deferred") expect(this.quota.tat).toEqual(before.tat);
    if (given.grant.kind === "granted") this.#issue(given.grant);
    return given.grant;
  }

  configure(ratePerSecond: number | null): void {
    this.#put(configureQuota(this.quota, { ratePerSecond, burst: null }, this.nowMs));
  }

  tell(answered: number, troubles: readonly Trouble[] = [], probeAnswered = false): void {
    const told = report({
      calls: answered + troubles.length,
      answered,
      troubles,
      troublesSinceAnswer: troubles.length,
      throttled: troubles.length,
      probeAnswered,
    });
    this.#put(observe(this.quota, told, { nowMs: this.nowMs, holder: "a" }));
  }

  restart(): void {
    this.quota = restoreQuota(JSON.parse(this.stored) as Quota, this.nowMs);
    this.#restarted = true;
  }

  throttled(index: number, change: Partial<Trouble> = {}): Trouble {
    return { kind: "throttled", index, epoch: this.quota.epoch, retryAfterMs: null, probe: false, ...change };
  }

  several(count: number, change: Partial<Trouble> = {}): readonly Trouble[] {
    return Array.from({ length: count }, (_, index) => this.throttled(index, change));
  }

  #put(next: Quota): void {
    if (next.version !== this.quota.version) this.stored = JSON.stringify(next);
    expect(next.epoch).toBeGreaterThanOrEqual(this.quota.epoch);
    this.quota = next;
  }

  #issue(given: Extract<Grant, { kind: "granted" }>): void {
    const intervalMs = emissionIntervalMs(effectiveRate(this.quota) ?? 1e6);
    for (let i = 0; i < given.count; i++) {
      const atMs = this.nowMs - START + given.firstInMs + i * given.everyMs;
      const previous = this.issued.at(-1);
      const apartMs = this.#restarted ? Math.min(intervalMs, previous?.intervalMs ?? 0) : intervalMs;
      if (previous) expect(atMs - previous.atMs).toBeGreaterThanOrEqual(apartMs - 1e-6);
      this.#restarted = false;
      this.issued.push({ atMs, intervalMs });
    }
  }
}

describe("the quota", () => {
  test("grants evenly spaced instants with the grace of its burst", () => {
    const limiter = new Limiter(1000, 31);
    expect(limiter.ask(3)).toMatchObject({
      kind: "granted",
      firstInMs: 0,
      count: 3,
      graceMs: 5,
      probe: false,
    });
    expect(limiter.ask(1)).toMatchObject({ kind: "granted", firstInMs: expect.closeTo(3.003, 3) });
  });

  test("lets calls go freely for a second where there is no quota", () => {
    expect(new Limiter(null).ask(5)).toEqual({ kind: "free", forMs: 1000 });
  });

  test("defers nothing for an asker that wants nothing", () => {
    expect(new Limiter(1).ask(0)).toEqual({ kind: "deferred", askAgainInMs: 0 });
  });

  test("gives an asker no more than its share of the depth", () => {
    expect(new Limiter(1000).ask(5000, { share: 0.1 })).toMatchObject({ count: 149 });
    expect(new Limiter(1 / 60).ask(5, { share: 0.1 })).toMatchObject({ count: 1 });
  });

  test("gives each deferred asker a turn of its own, no later than its poll", () => {
    const limiter = new Limiter(100);
    limiter.ask(5000);
    limiter.ask(5000);
    const told = Array.from({ length: 4 }, () => limiter.ask(5));
    const turns = told.map((given) => (given.kind === "deferred" ? Math.round(given.askAgainInMs) : -1));
    expect(turns).toEqual([42, 92, 142, 192]);
    const slow = new Limiter(1 / 3600);
    slow.ask(1);
    expect(slow.ask(1)).toEqual({ kind: "deferred", askAgainInMs: 1000 });
  });
});

describe("a changed rate", () => {
  test.each([
    [1 / 60, 1000],
    [1 / 86_400, 1],
    [0.5, 1_000_000],
    [1000, 2000],
  ])("from %d/s to %d/s acts within 1.5 s, however far ahead the former rate had issued", (from, to) => {
    const limiter = new Limiter(from);
    limiter.ask(5000);
    limiter.ask(5000);
    limiter.nowMs += 10;
    const { epoch } = limiter.quota;
    limiter.configure(to);
    expect(limiter.quota.epoch).toBe(epoch);
    limiter.nowMs += 1500;
    expect(limiter.ask(1)).toMatchObject({ kind: "granted", firstInMs: expect.closeTo(0, -2) });
  });

  test("that is lower begins a new epoch and spaces the next instant by the lower rate", () => {
    const limiter = new Limiter(1000);
    limiter.ask(1);
    const { epoch } = limiter.quota;
    limiter.configure(10);
    expect(limiter.quota.epoch).toBe(epoch + 1);
    expect(limiter.ask(1)).toMatchObject({ firstInMs: expect.closeTo(100, 0) });
  });

  test("after a restart still acts within 1.5 s", () => {
    const limiter = new Limiter(1 / 60);
    limiter.ask(1);
    limiter.restart();
    expect(limiter.ask(1).kind).toBe("deferred");
    limiter.configure(1000);
    limiter.nowMs += 1500;
    expect(limiter.ask(1).kind).toBe("granted");
  });

  test("after a restart does not overtake what was issued ahead before it", () => {
    const limiter = new Limiter(1 / 60);
    limiter.ask(1, { leadMs: 500 });
    limiter.restart();
    limiter.configure(1000);
    expect(limiter.ask(1)).toMatchObject({ kind: "granted", firstInMs: expect.closeTo(1000, -2) });
  });

  test("from none to one stops free calls with the new epoch", () => {
    const limiter = new Limiter(null);
    limiter.configure(10);
    expect(limiter.quota.epoch).toBe(2);
    expect(limiter.ask(2)).toMatchObject({ kind: "granted", count: 2 });
    limiter.configure(null);
    expect(limiter.ask(2).kind).toBe("free");
  });
});

describe("throttled answers", () => {
  test("lower the rate and begin a new epoch once a round", () => {
    const limiter = new Limiter(1000);
    limiter.ask(100);
    limiter.nowMs += 2000;
    limiter.tell(60);
    limiter.tell(30, limiter.several(10));
    const rate = effectiveRate(limiter.quota);
    expect(rate).toBeCloseTo(920, -1);
    limiter.tell(30, limiter.several(10, { epoch: 1 }));
    expect(limiter.quota.epoch).toBe(2);
    expect(effectiveRate(limiter.quota)).toBe(rate);
  });

  test("set a rate where there was no quota", () => {
    const limiter = new Limiter(null);
    limiter.nowMs += 900;
    limiter.tell(500);
    limiter.tell(0, [limiter.throttled(1)]);
    expect(limiter.ask(1).kind).toBe("granted");
  });

  test("of three items pause all, then one probe goes, and its answer lets calls flow again", () => {
    const limiter = new Limiter(1000);
    limiter.ask(100);
    limiter.tell(
      0,
      [1, 2, 3].map((index) => limiter.throttled(index, { retryAfterMs: 1700 })),
    );
    expect(limiter.ask(5)).toEqual({ kind: "deferred", askAgainInMs: 1000 });
    limiter.nowMs += 1700;
    expect(limiter.ask(5)).toMatchObject({ kind: "granted", count: 1, probe: true });
    expect(limiter.ask(5)).toEqual({ kind: "deferred", askAgainInMs: 1000 });
    limiter.nowMs += 60;
    limiter.tell(1, [], true);
    expect(limiter.ask(5)).toMatchObject({ kind: "granted", count: 5, probe: false });
  });

  test("that open the circuit are told from a lower rate, and a restart knows it", () => {
    const limiter = new Limiter(1000);
    limiter.configure(500);
    expect(limiter.quota).toMatchObject({ epoch: 2 });
    expect(limiter.quota.openedIn).toBeUndefined();
    limiter.tell(
      0,
      [1, 2, 3].map((index) => limiter.throttled(index, { retryAfterMs: 1700 })),
    );
    const { epoch } = limiter.quota;
    expect(limiter.quota.openedIn).toBe(epoch);
    limiter.configure(100);
    limiter.restart();
    expect(limiter.quota).toMatchObject({ epoch: epoch + 1, openedIn: epoch });
  });

  test("do not lower the rate when they answer probes", () => {
    const limiter = new Limiter(1000);
    limiter.tell(
      0,
      [1, 2, 3].map((index) => limiter.throttled(index, { retryAfterMs: 1700 })),
    );
    limiter.nowMs += 1700;
    limiter.ask(1);
    limiter.tell(0, [limiter.throttled(4, { retryAfterMs: 5000, probe: true })]);
    expect(effectiveRate(limiter.quota)).toBe(1000);
    expect(limiter.quota.circuit.open?.nextProbeMs).toBe(limiter.nowMs + 5000);
  });
});

type Action =
  | { readonly kind: "ask"; readonly want: number; readonly leadMs: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "configure"; readonly rate: number }
  | { readonly kind: "answered" | "throttled" | "restart" };

const rates = fc.constantFrom(1 / 60, 0.3, 7, 100, 1000, 250_000);
const actions = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        want: fc.integer({ min: 1, max: 600 }),
        leadMs: fc.constantFrom(0, 200),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 3000 }) }),
    },
    fc.record({ kind: fc.constant("configure" as const), rate: rates }),
    fc.record({ kind: fc.constantFrom("answered" as const, "throttled" as const, "restart" as const) }),
  ),
  { maxLength: 60 },
);

/** `Limiter` checks after each action that issued instants keep their distance. */
function perform(limiter: Limiter, action: Action, index: number): void {
  switch (action.kind) {
    case "ask":
      limiter.ask(action.want, { leadMs: action.leadMs });
      return;
    case "wait":
      limiter.nowMs += action.ms;
      return;
    case "configure":
      limiter.configure(action.rate);
      return;
    case "answered":
      limiter.tell(100);
      return;
    case "throttled":
      limiter.tell(0, [limiter.throttled(index)]);
      return;
    case "restart":
      limiter.restart();
      return;
    default:
      action satisfies never;
  }
}

test("no order of requests, changed rates, throttled answers and restarts brings two instants too close", () => {
  fc.assert(
    fc.property(rates, actions, (rate, steps) => {
      const limiter = new Limiter(rate);
      for (const [index, action] of steps.entries()) perform(limiter, action, index);
      expect(limiter.issued.every(({ atMs }) => atMs <= limiter.nowMs - START + 1500 + 1)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
