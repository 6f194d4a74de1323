import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCosted, grantCosted, hearWaiting } from "../../../src/core/limiter/costed.ts";
import {
  configureQuota,
  createQuota,
  observe,
  type Quota,
  restoreQuota,
  settleCosted,
} from "../../../src/core/limiter/quota.ts";
import { reservationOf, type TokenCost, tokenRate } from "../../../src/core/limiter/tokenQuota.ts";
import {
  OUTPUTS_KEPT,
  TOKEN_CREDIT_MS,
  TOKEN_CREDIT_SHARE,
  UNKNOWN_OUTPUT_TOKENS,
} from "../../../src/core/limits.ts";
import type { SettledCall } from "../../../src/core/protocol.ts";
import { report } from "../../support/coreRun.ts";

const START = 1_700_000_000_000;
const NOTHING = { calls: 0, tokens: 0, dollars: 0 };

/** One invocation asking a quota of tokens; what it is granted is used at its instant. */
class Asker {
  quota: Quota;
  nowMs = START;
  readonly used: { readonly atMs: number; readonly reserved: number }[] = [];
  #call = 0;

  constructor(perSecond: number, burst: number | null = null, ratePerSecond: number | null = null) {
    this.quota = createQuota({ ratePerSecond, burst: null, tokens: { perSecond, burst } }, START);
  }

  /** Asks for one call: its reservation and instant, or when to ask again. */
  ask(
    cost: TokenCost,
  ): { readonly inMs: number; readonly reserved: number } | { readonly askAgainInMs: number } {
    const costed = createCosted();
    const call = ++this.#call;
    const held = { calls: 0, tokens: 0 };
    hearWaiting(costed, "a", { waiting: [{ call, ...cost }], held, settled: [], told: null }, this.nowMs);
    const given = grantCosted(costed, this.quota, {
      invocation: "a",
      nowMs: this.nowMs,
      leadMs: 0,
      pollMs: 1000,
      budget: null,
      outlay: NOTHING,
      price: null,
    });
    this.quota = given.quota;
    const [granted] = given.answer.granted;
    if (granted === undefined) {
      if (given.answer.impossible.length > 0) throw new Error(given.answer.impossible[0]?.message);
      return { askAgainInMs: given.answer.askAgainInMs };
    }
    this.used.push({ atMs: this.nowMs + granted.inMs, reserved: granted.cost });
    return { inMs: granted.inMs, reserved: granted.cost };
  }

  /** Asks until it is granted; time goes on meanwhile. */
  next(cost: TokenCost): { readonly atMs: number; readonly reserved: number } {
    for (;;) {
      const answer = this.ask(cost);
      if ("inMs" in answer) return { atMs: this.nowMs + answer.inMs, reserved: answer.reserved };
      this.nowMs += Math.max(1 / 4096, answer.askAgainInMs);
    }
  }

  settle(call: SettledCall): void {
    this.quota = settleCosted(this.quota, { settled: [call], told: null }, this.nowMs);
  }

  told(tokensRemaining: number): void {
    this.quota = settleCosted(
      this.quota,
      { settled: [], told: { tokensRemaining, requestsInMs: null } },
      this.nowMs,
    );
  }
}

function usage(inputTokens: number, outputTokens: number) {
  return { inputTokens, outputTokens };
}

const exactly = (tokens: number): TokenCost => ({ input: tokens, output: 0 });

describe("the token dimension", () => {
  it("lets the next call go when what the last one reserved has been earned, whatever that was", () => {
    const asker = new Asker(1000);
    const instants = [exactly(3000), exactly(100), exactly(500)].map((cost) => asker.next(cost).atMs - START);
    expect(instants[0]).toBe(0);
    expect(instants[1]).toBeCloseTo(3003, 0);
    expect(instants[2]).toBeCloseTo(3103, 0);
  });

  it("holds together with a rate of requests: the later one decides", () => {
    const asker = new Asker(1000, null, 2);
    const instants = [10, 10, 2000, 10].map((tokens) => asker.next(exactly(tokens)).atMs - START);
    expect(instants.map((ms) => Math.round(ms / 100))).toEqual([0, 5, 10, 30]);
  });

  it("makes later calls cheaper by what a call did not use, and never moves an instant back", () => {
    const asker = new Asker(1000);
    asker.next({ input: 1000, output: 1000 });
    asker.settle({ reserved: 2000, usage: usage(1000, 0) });
    expect(asker.next(exactly(1000)).atMs - START).toBeCloseTo(2002, 0);
    // Of 1,000 tokens 900 are paid with credit: the distance is what 100 earn.
    expect(asker.next(exactly(1000)).atMs - START).toBeCloseTo(2102, 0);
  });

  it("charges what a call used beyond its reservation", () => {
    const asker = new Asker(1000);
    asker.next(exactly(1000));
    asker.settle({ reserved: 1000, usage: usage(1000, 500) });
    expect(asker.next(exactly(1)).atMs - START).toBeCloseTo(1501, -1);
  });

  it("lets the reservation of a call stand that never told what it used, and gives back an unused one", () => {
    const asker = new Asker(1000);
    asker.next(exactly(1000));
    asker.settle({ reserved: 1000, usage: null });
    expect(asker.quota.tokens?.credit).toBe(0);
    asker.settle({ reserved: 1000, usage: null, unused: true });
    expect(asker.quota.tokens?.credit).toBe(1000);
  });

  it("saves up no more than its bound, and nothing for time in which nobody asked", () => {
    const asker = new Asker(1000);
    for (let i = 0; i < 50; i++) asker.settle({ reserved: 2000, usage: usage(100, 0) });
    expect(asker.quota.tokens?.credit).toBe(TOKEN_CREDIT_MS);
    const told = new Asker(1000, 2500);
    for (let i = 0; i < 50; i++) told.settle({ reserved: 2000, usage: usage(100, 0) });
    expect(told.quota.tokens?.credit).toBe(500);
    const silent = new Asker(1000);
    silent.next(exactly(100));
    silent.nowMs += 3_600_000;
    const first = silent.next(exactly(500)).atMs;
    expect(silent.next(exactly(500)).atMs - first).toBeGreaterThan(499);
  });

  it("reserves what a call asks for at most until answers were seen, then their 95th percentile", () => {
    const { quota } = new Asker(1000);
    const cost = { input: 10, output: 400 };
    const reserved = (q: Quota, of: TokenCost = cost) => reservationOf(q.tokens ?? null, of);
    expect(reserved(quota)).toBe(410);
    expect(reserved(quota, { input: 10, output: null })).toBe(10 + UNKNOWN_OUTPUT_TOKENS);
    const settled = Array.from({ length: OUTPUTS_KEPT }, (_, i) => ({ reserved: 1, usage: usage(0, i + 1) }));
    const learnt = settleCosted(quota, { settled, told: null }, START);
    expect(reserved(learnt)).toBe(10 + 95);
    expect(reserved(learnt, { input: 10, output: 20 })).toBe(10 + 20);
    expect(learnt.tokens?.outputs).toHaveLength(OUTPUTS_KEPT);
  });

  it("says at once that a call is dearer than the target ever tolerates", () => {
    expect(() => new Asker(1000, 5000).ask({ input: 4800, output: 300 })).toThrow(
      /5,100 tokens \(4,800 in, 300 reserved.*5,000, quota.tokenBurst/,
    );
    expect(() => new Asker(1000).ask(exactly(60_001))).toThrow(/what a minute of quota.tokens brings/);
    expect(new Asker(1000).ask(exactly(60_000))).toMatchObject({ inMs: 0 });
  });

  it("waits for what the target says is left, and never goes faster for it", () => {
    const asker = new Asker(1000);
    asker.next(exactly(1000));
    asker.told(100);
    expect(asker.next(exactly(2100)).atMs - START).toBeCloseTo(2000, 0);
    const rich = new Asker(1000);
    rich.next(exactly(1000));
    rich.told(1_000_000);
    expect(rich.next(exactly(10)).atMs - START).toBeCloseTo(1001, 0);
  });

  it("runs at a share of the rate after a throttled answer, and grows back", () => {
    const { quota } = new Asker(1000);
    const troubles = Array.from({ length: 10 }, (_, index) => {
      return { kind: "throttled", index, epoch: 1, retryAfterMs: null, probe: false } as const;
    });
    const seen = report({ calls: 40, answered: 30, throttled: 10, troubles });
    let lowered = observe(quota, seen, { nowMs: START + 1000, holder: "a" });
    expect(tokenRate(lowered.tokens!)).toBeCloseTo(920, -1);
    expect(lowered.feedback.ratePerSecond).toBeNull();
    expect(lowered.epoch).toBe(2);
    for (let s = 2; s < 200; s++) {
      lowered = observe(lowered, report({ calls: 20, answered: 20 }), {
        nowMs: START + s * 1000,
        holder: "a",
      });
    }
    expect(tokenRate(lowered.tokens!)).toBe(1000);
  });

  it("follows a changed rate at once, behind the call that left last", () => {
    const asker = new Asker(10);
    asker.next(exactly(500));
    asker.quota = configureQuota(
      asker.quota,
      { ratePerSecond: null, burst: null, tokens: { perSecond: 1000, burst: null } },
      START,
    );
    expect(asker.next(exactly(1)).atMs - START).toBeCloseTo(500, -1);
  });

  it("issues nothing twice after a restart", () => {
    const asker = new Asker(1000);
    const { atMs } = asker.next(exactly(4000));
    asker.quota = restoreQuota(JSON.parse(JSON.stringify(asker.quota)) as Quota, asker.nowMs);
    expect(asker.next(exactly(10)).atMs - atMs).toBeGreaterThanOrEqual(4000);
  });

  it("any window uses no more than the rate, one reservation, the credit and what was reserved too much", () => {
    const call = fc.record({
      input: fc.integer({ min: 1, max: 3000 }),
      output: fc.integer({ min: 0, max: 2000 }),
      /** Of the reserved output. */
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      latencyMs: fc.integer({ min: 1, max: 20_000 }),
      idleMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30_000 })),
    });
    const rate = 1000;
    fc.assert(
      fc.property(fc.array(call, { minLength: 2, maxLength: 60 }), (calls) => {
        const asker = new Asker(rate);
        const made: { atMs: number; endMs: number; reserved: number; used: number; settled: boolean }[] = [];
        const settleUntil = (nowMs: number) => {
          for (const one of made.filter((m) => !m.settled && m.endMs <= nowMs)) {
            one.settled = true;
            asker.settle({ reserved: one.reserved, usage: usage(one.used, 0) });
          }
        };
        for (const { input, output, share, latencyMs, idleMs } of calls) {
          asker.nowMs += idleMs;
          settleUntil(asker.nowMs);
          const { atMs, reserved } = asker.next({ input, output });
          const used = Math.min(reserved, input + Math.floor(output * share));
          made.push({ atMs, endMs: atMs + latencyMs, reserved, used, settled: false });
        }
        for (let first = 0; first < made.length; first++) {
          const fromMs = made[first]!.atMs;
          const before = made.slice(0, first).filter((m) => m.endMs > fromMs - 1500);
          const tooMuch = before.reduce((sum, m) => sum + m.reserved - m.used, 0);
          let used = 0;
          let dearest = 0;
          for (let last = first; last < made.length; last++) {
            const one = made[last]!;
            used += one.used;
            dearest = Math.max(dearest, one.reserved);
            const allowed = (rate * (one.atMs - fromMs)) / 1000 + dearest;
            const credit = Math.max((TOKEN_CREDIT_MS * rate) / 1000, ...made.map((m) => m.reserved));
            expect(used).toBeLessThanOrEqual(allowed + credit + tooMuch + 1);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("uses all of the rate although every call reserves twice what it uses", () => {
    const asker = new Asker(1000);
    const open: { endMs: number; reserved: number }[] = [];
    const calls = 300;
    for (let i = 0; i < calls; i++) {
      while (open[0] !== undefined && open[0].endMs <= asker.nowMs) {
        const { reserved } = open.shift()!;
        asker.settle({ reserved, usage: usage(reserved / 2, 0) });
      }
      const { atMs, reserved } = asker.next(exactly(2000));
      asker.nowMs = Math.max(asker.nowMs, atMs);
      open.push({ endMs: atMs + 8000, reserved });
    }
    const spanMs = asker.used.at(-1)!.atMs - START;
    expect(((calls - 1) * 1000) / spanMs).toBeGreaterThan(0.95);
    expect(TOKEN_CREDIT_SHARE).toBeLessThan(1);
  });
});
