import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createHostBook,
  forgetHosts,
  grantHosts,
  hostSpacingMs,
} from "../../../src/core/limiter/hostQuota.ts";
import { createQuota, type Quota, restoreQuota } from "../../../src/core/limiter/quota.ts";
import { HOSTS_TRACKED } from "../../../src/core/limits.ts";
import type { HostAsk, HostGrant } from "../../../src/core/protocol.ts";
import { parseSpec } from "../../../src/runSpec/schema.ts";
import { neededBurst } from "../../support/neededBurst.ts";

const START = 1_700_000_000_000;
const GRACE_AND_ERROR_S = 0.075;

/** A Run's quota and book of hosts, and every instant they gave. */
class Granter {
  nowMs = START;
  book = createHostBook();
  quota: Quota;
  perSecond: number | null;
  readonly instants = new Map<string, number[]>();

  constructor(perSecond: number | null, quotaPerSecond: number | null) {
    this.perSecond = perSecond;
    this.quota = createQuota({ ratePerSecond: quotaPerSecond, burst: null }, START);
  }

  ask(...asks: Partial<HostAsk>[]): readonly HostGrant[] {
    const whole = asks.map((ask) => ({ host: "a", want: 1, spacingMs: 0, turns: 0, holdMs: 0, ...ask }));
    const { nowMs, perSecond } = this;
    const given = grantHosts(this.book, this.quota, whole, {
      nowMs,
      holder: "i",
      perSecond,
      leadMs: 0,
      pollMs: 1000,
      callTimeoutMs: 0,
    });
    this.quota = given.quota;
    for (const grant of given.grants) {
      const known = this.instants.get(grant.host) ?? [];
      this.instants.set(grant.host, [...known, ...grant.sendInMs.map((inMs) => nowMs - START + inMs)]);
    }
    return given.grants;
  }

  restart(): void {
    this.quota = restoreQuota(JSON.parse(JSON.stringify(this.quota)) as Quota, this.nowMs);
    this.book = createHostBook();
    forgetHosts(this.book, this.nowMs);
  }
}

describe("permits for a host", () => {
  test("are given at once to one that was never called, and then as far apart as its rate says", () => {
    const granter = new Granter(1, 100);
    expect(granter.ask({})[0]).toMatchObject({ sendInMs: [0], dueInMs: expect.closeTo(1041, 0) });
    granter.nowMs += 500;
    expect(granter.ask({})[0]).toMatchObject({ sendInMs: [], dueInMs: expect.closeTo(541, 0), waitInMs: 0 });
    granter.nowMs += 345;
    const [next] = granter.ask({});
    expect(next?.sendInMs[0]).toBeCloseTo(196, 0);
  });

  test("come in the order in which the hosts are due, whoever asked first", () => {
    const granter = new Granter(10, 1000);
    granter.ask({ host: "late" });
    granter.nowMs += 50;
    const [late, early] = granter.ask({ host: "late" }, { host: "early" });
    expect(early?.sendInMs[0]).toBeLessThan(late?.sendInMs[0] ?? 0);
  });

  test("wait for the run's own quota, and say so", () => {
    const granter = new Granter(1, 1);
    const grants = granter.ask({ host: "a" }, { host: "b" }, { host: "c" }, { host: "d" });
    expect(grants.map((grant) => grant.sendInMs.length)).toEqual([1, 1, 0, 0]);
    expect(grants[2]?.waitInMs).toBeGreaterThan(0);
    expect(grants[2]?.dueInMs).toBe(0);
  });

  test("keep a host's own delay without a rate for hosts, and do not limit the others", () => {
    const granter = new Granter(null, null);
    expect(granter.ask({ host: "slow", want: 2, spacingMs: 7000 })[0]?.sendInMs).toHaveLength(1);
    expect(granter.ask({ host: "quick", want: 3 })[0]?.sendInMs).toEqual([0, 0, 0]);
    granter.nowMs += 6900;
    expect(granter.ask({ host: "slow", spacingMs: 7000 })[0]?.sendInMs[0]).toBeGreaterThanOrEqual(100);
  });

  test("are not given to a host that asked to be left alone", () => {
    const granter = new Granter(10, 1000);
    granter.ask({ want: 0, holdMs: 3000 });
    granter.nowMs += 1000;
    expect(granter.ask({})[0]).toMatchObject({ sendInMs: [], dueInMs: 2000 });
    granter.nowMs += 2000;
    expect(granter.ask({})[0]?.sendInMs).toHaveLength(1);
  });

  test("come with turns for who is put off, one behind the other whoever asks", () => {
    const granter = new Granter(1, 100);
    expect(granter.ask({ turns: 1 })[0]).toMatchObject({ sendInMs: [0], turnInMs: null });
    const [first] = granter.ask({ want: 2, turns: 2 });
    const [second] = granter.ask({ turns: 1 });
    expect([first?.turnInMs, second?.turnInMs]).toEqual([1041, 3 * 1041].map((ms) => expect.closeTo(ms, -1)));
    expect(first?.turnEveryMs).toBeCloseTo(1041, -1);
  });

  test("follow a changed rate at once, from the last instant on", () => {
    const granter = new Granter(1 / 60, 1000);
    granter.ask({});
    granter.nowMs += 2000;
    granter.perSecond = 1;
    expect(granter.ask({})[0]?.sendInMs).toHaveLength(1);
  });

  test("wait a whole interval after a restart, also for a host that nobody remembers", () => {
    const granter = new Granter(1, null);
    granter.ask({});
    granter.restart();
    for (const host of ["a", "new"]) {
      expect(granter.ask({ host })[0]).toMatchObject({ sendInMs: [] });
      expect(granter.ask({ host })[0]?.dueInMs).toBeGreaterThan(1000);
    }
  });

  test("wait when more hosts rest than can be remembered", () => {
    const granter = new Granter(1, null);
    for (let host = 0; host < HOSTS_TRACKED; host++) granter.ask({ host: `h${host}` });
    expect(granter.ask({ host: "one more" })[0]).toMatchObject({
      sendInMs: [],
      dueInMs: expect.closeTo(1241, 0),
    });
    granter.nowMs += 1300;
    expect(granter.ask({ host: "one more" })[0]?.sendInMs).toEqual([0]);
    expect(granter.book.hosts.size).toBe(1);
  });
});

describe("no host is called above its rate", () => {
  const step = fc.record({
    afterMs: fc.nat({ max: 700 }),
    hosts: fc.array(
      fc.record({ host: fc.constantFrom("a", "b", "c"), want: fc.integer({ min: 1, max: 4 }) }),
      {
        maxLength: 3,
      },
    ),
    act: fc.constantFrom("", "", "", "", "restart", "leap"),
  });

  test("in any window, however late calls leave, whatever restarts or leaps", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0.1, 1, 3, 20),
        fc.constantFrom(null, 2, 50),
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 4 })),
        (perSecond, quotaPerSecond, steps, lateness) => {
          const granter = new Granter(perSecond, quotaPerSecond);
          // True time: the run clock may leap ahead of it.
          let leaptMs = 0;
          const calls = new Map<string, number[]>();
          for (const { afterMs, hosts, act } of steps) {
            granter.nowMs += afterMs;
            if (act === "restart") granter.restart();
            if (act === "leap") {
              granter.nowMs += 5000;
              leaptMs += 5000;
              forgetHosts(granter.book, granter.nowMs);
            }
            const asks = [...new Map(hosts.map((ask) => [ask.host, ask])).values()];
            for (const { host, sendInMs, graceMs } of granter.ask(...asks)) {
              for (const inMs of sendInMs) {
                const lateMs = (graceMs * lateness.next().value) / 4;
                const atMs = granter.nowMs - START - leaptMs + inMs + lateMs;
                calls.set(host, [...(calls.get(host) ?? []), atMs]);
              }
            }
          }
          for (const times of calls.values()) {
            times.sort((a, b) => a - b);
            const most = perSecond <= 1 ? 1 : perSecond * GRACE_AND_ERROR_S + 1;
            expect(neededBurst(times, perSecond)).toBeLessThanOrEqual(most + 1e-6);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("and the grace costs no host more than a 25th of its rate", () => {
    for (const perSecond of [1 / 60, 0.5, 1, 5, 100]) {
      expect(1000 / hostSpacingMs(perSecond, 0)).toBeGreaterThan(perSecond * 0.959);
    }
  });
});

describe("a spec's quota.perHost", () => {
  const spec = (perHost: unknown) => ({
    source: { kind: "range", from: 0, to: 1 },
    task: { kind: "http", url: "https://h.example/{{item}}" },
    quota: { requests: "50/s", perHost },
  });
  test("is a rate from one a minute on", () => {
    expect(parseSpec(spec("1/min"))).toMatchObject({ spec: { quota: { perHost: "1/min" } } });
    expect(parseSpec(spec(null))).toMatchObject({ spec: { quota: { perHost: null } } });
  });
  test.each(["59/h", "fast", 3])("is not %j", (perHost) => {
    expect(parseSpec(spec(perHost))).toMatchObject({ kind: "invalid", path: "quota.perHost" });
  });
});
