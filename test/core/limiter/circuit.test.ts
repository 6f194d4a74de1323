import { describe, expect, test } from "vitest";
import {
  admission,
  afterRestart,
  type Circuit,
  CLOSED,
  observeCalls,
  passTime,
  pauseAll,
  sendProbe,
} from "../../../src/core/limiter/circuit.ts";
import type { Report, Trouble } from "../../../src/core/protocol.ts";
import { report } from "../../support/coreRun.ts";

const trouble = (kind: Trouble["kind"], index: number, change: Partial<Trouble> = {}): Trouble => ({
  kind,
  index,
  epoch: 1,
  retryAfterMs: null,
  probe: false,
  ...change,
});
const down = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => trouble("down", from + i));

/** A report of `answered` calls and then `troubles`. */
const told = (answered: number, troubles: readonly Trouble[], change: Partial<Report> = {}): Report =>
  report({ answered, troubles, troublesSinceAnswer: troubles.length, ...change });

type Step = { at: number; by?: string } & (
  | { told: Report }
  | { probe: true }
  | { pauseMs: number }
  | { restart: true }
);

/** What may leave after each step; a probe is only ever sent where one is admitted. */
function run(steps: readonly Step[]): string[] {
  let circuit: Circuit = CLOSED;
  return steps.map((step) => {
    circuit = apply(passTime(circuit, step.at), step);
    const admitted = admission(circuit, step.at);
    if (circuit.open?.probe) expect(admission(circuit, step.at).kind).not.toBe("closed");
    return admitted.kind === "wait" ? `wait until ${admitted.untilMs}` : admitted.kind;
  });
}

function apply(circuit: Circuit, step: Step): Circuit {
  const holder = step.by ?? "a";
  if ("told" in step) return observeCalls(circuit, step.told, { nowMs: step.at, holder });
  if ("pauseMs" in step) return pauseAll(circuit, step.at, step.pauseMs);
  if ("restart" in step) return afterRestart(circuit);
  expect(admission(circuit, step.at).kind).toBe("probe");
  return sendProbe(circuit, { nowMs: step.at, holder, usableUntilMs: step.at + 50, callTimeoutMs: 30_000 });
}

/** Connections that are not made. */
const unreached = (from: number, to: number) =>
  down(from, to).map((one): Trouble => ({ ...one, unreached: true }));
const suspects = (from: number, to: number) =>
  down(from, to).map((one): Trouble => ({ ...one, suspect: true }));
const firsts = (from: number, to: number) => down(from, to).map((one): Trouble => ({ ...one, first: true }));

const OPEN: Step = { at: 0, told: told(0, down(0, 10)) };
const failedProbe = trouble("down", 1, { probe: true });
const answeredProbe = report({ answered: 1, probeAnswered: true });

describe("the circuit opens", () => {
  test.each<[rule: string, steps: Step[], outcome: string]>([
    ["after ten calls in a row of different items", [OPEN], "wait until 1000"],
    [
      "also when several invocations tell of them",
      [
        { at: 0, told: told(0, down(0, 5)) },
        { at: 9, by: "b", told: told(0, down(5, 10)) },
      ],
      "wait until 1009",
    ],
    ["not after nine", [{ at: 0, told: told(0, down(0, 9)) }], "closed"],
    [
      "not when it is always the same item",
      [{ at: 0, told: told(0, Array(50).fill(trouble("down", 7))) }],
      "closed",
    ],
    [
      "not when an answer came between",
      [
        { at: 0, told: told(0, down(0, 9)) },
        { at: 1, told: told(1, down(9, 18)) },
      ],
      "closed",
    ],
    [
      "not when the answer came last",
      [{ at: 0, told: report({ answered: 1, troubles: down(0, 20), troublesSinceAnswer: 0 }) }],
      "closed",
    ],
    [
      "by the calls after the last answer",
      [{ at: 0, told: report({ answered: 3, troubles: down(0, 15), troublesSinceAnswer: 10 }) }],
      "wait until 1000",
    ],
    [
      "not when a throttled answer came between",
      [{ at: 0, told: told(0, [...down(0, 9), trouble("throttled", 9), ...down(10, 19)]) }],
      "closed",
    ],
    ["not by suspects", [{ at: 0, told: told(0, suspects(0, 50)) }], "closed"],
    [
      "by suspects that get no connection",
      [
        {
          at: 0,
          told: told(
            0,
            suspects(0, 10).map((one): Trouble => ({ ...one, unreached: true })),
          ),
        },
      ],
      "wait until 1000",
    ],
    [
      "after three calls and a second when no connection is made",
      [
        { at: 0, told: told(0, unreached(0, 1)) },
        { at: 1000, told: told(0, unreached(0, 2)) },
      ],
      "wait until 2000",
    ],
    [
      "only ajar after five seconds in which fewer items failed",
      [
        { at: 0, told: told(0, down(0, 2)) },
        { at: 5000, told: told(0, down(0, 2)) },
      ],
      "closed",
    ],
    ["when all are to pause", [{ at: 0, pauseMs: 2000 }], "wait until 2000"],
    ["for a minute at most", [{ at: 0, pauseMs: 3_600_000 }], "wait until 60000"],
  ])("%s", (_, steps, outcome) => {
    expect(run(steps).at(-1)).toBe(outcome);
  });
});

describe("an open circuit", () => {
  test.each<[rule: string, steps: Step[], outcome: string]>([
    ["lets one probe go when its time has come", [OPEN, { at: 1000, told: report() }], "probe"],
    [
      "lets no second one go while it is out",
      [OPEN, { at: 1000, probe: true }, { at: 1500, told: report({ inFlight: 1 }) }],
      "wait until 32000",
    ],
    [
      "waits twice as long after a probe that got no connection",
      [OPEN, { at: 1000, probe: true }, { at: 1100, told: told(0, [{ ...failedProbe, unreached: true }]) }],
      "wait until 3100",
    ],
    [
      "closes on an answered probe",
      [OPEN, { at: 1000, probe: true }, { at: 1100, told: answeredProbe }],
      "closed",
    ],
    [
      "closes on any answered call when the target was down",
      [OPEN, { at: 500, by: "b", told: report({ answered: 1 }) }],
      "closed",
    ],
    [
      "closes on a probe that was throttled when the target was down",
      [
        OPEN,
        { at: 1000, probe: true },
        { at: 1100, told: told(0, [trouble("throttled", 1, { probe: true })]) },
      ],
      "closed",
    ],
    [
      "closes on a probe that was refused",
      [
        OPEN,
        { at: 1000, probe: true },
        { at: 1100, told: told(0, [trouble("refused", 1, { probe: true })]) },
      ],
      "closed",
    ],
    [
      "stays paused by answers to calls from before",
      [
        { at: 0, pauseMs: 2000 },
        { at: 50, told: report({ answered: 9 }) },
      ],
      "wait until 2000",
    ],
    [
      "is never shortened by a later pause",
      [
        { at: 0, pauseMs: 2000 },
        { at: 50, pauseMs: 100 },
      ],
      "wait until 2000",
    ],
    [
      "pauses anew for what a throttled probe was told",
      [
        { at: 0, pauseMs: 500 },
        { at: 500, probe: true },
        { at: 600, told: told(0, [trouble("throttled", 1, { probe: true, retryAfterMs: 9000 })]) },
      ],
      "wait until 9600",
    ],
    [
      "sends another probe when the first was forfeit",
      [OPEN, { at: 1000, probe: true }, { at: 1300, told: report() }],
      "probe",
    ],
    [
      "believes only the holder that a probe was forfeit",
      [OPEN, { at: 1000, probe: true }, { at: 1300, by: "b", told: report() }],
      "wait until 32000",
    ],
    [
      "sends another probe when the holder is certainly gone",
      [
        { at: 0, told: told(0, unreached(0, 10)) },
        { at: 1000, probe: true },
        { at: 32_000, by: "b", told: report() },
      ],
      "probe",
    ],
    ["asks anew after a restart", [OPEN, { at: 1000, probe: true }, { at: 1100, restart: true }], "probe"],
    [
      "opens again when twice as many calls after a quick answer fail: the first time was a false alarm",
      [OPEN, { at: 500, told: told(1, down(20, 40)) }],
      "wait until 1500",
    ],
    ["stays closed when fewer do", [OPEN, { at: 500, told: told(1, down(20, 39)) }], "closed"],
    [
      "opens again when ten calls after a late answer fail",
      [
        { at: 0, told: told(0, unreached(0, 10)) },
        { at: 9000, told: report({ answered: 1 }) },
        { at: 9001, told: told(0, down(20, 30)) },
      ],
      "wait until 10001",
    ],
    [
      "stays open for an answer that came before the silence and is reported only now",
      [OPEN, { at: 500, by: "b", told: report({ answered: 1, answeredAgoMs: 501 }) }],
      "wait until 1000",
    ],
    [
      "closes without an answer when calls got connections for 15 s",
      [OPEN, { at: 15_000, told: report() }],
      "closed",
    ],
    ["stays open until then", [OPEN, { at: 14_999, told: report() }], "probe"],
    [
      "stays open while nobody gets a connection",
      [
        { at: 0, told: told(0, unreached(0, 10)) },
        { at: 3_600_000, told: report() },
      ],
      "probe",
    ],
    [
      "is not kept open by a connection that was not made, where a suspect got one",
      [
        { at: 0, told: told(0, [...unreached(0, 10), ...suspects(50, 51)]) },
        { at: 15_000, told: report() },
      ],
      "closed",
    ],
  ])("%s", (_, steps, outcome) => {
    expect(run(steps).at(-1)).toBe(outcome);
  });

  /** The waits after probes that end like this. */
  function waitsAfter(probe: Trouble): number[] {
    let circuit = apply(CLOSED, OPEN);
    return Array.from({ length: 8 }, () => {
      const atMs = circuit.open!.nextProbeMs;
      circuit = apply(circuit, { at: atMs, probe: true });
      circuit = apply(circuit, { at: atMs, told: told(0, [probe]) });
      return circuit.open!.nextProbeMs - atMs;
    });
  }

  test("doubles the wait between probes that get no connection up to 30 s", () => {
    expect(waitsAfter({ ...failedProbe, unreached: true })).toEqual([
      2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000,
    ]);
  });

  test("keeps it at a second where connections are made", () => {
    expect(waitsAfter(failedProbe)).toEqual(Array(8).fill(1000));
  });

  test("takes its probes in turn from items that were tried and from others", () => {
    let circuit = apply(CLOSED, OPEN);
    const preferred = Array.from({ length: 4 }, () => {
      const atMs = circuit.open!.nextProbeMs;
      const admitted = admission(circuit, atMs);
      circuit = apply(circuit, { at: atMs, probe: true });
      circuit = apply(circuit, { at: atMs, told: told(0, [failedProbe]) });
      return admitted.kind === "probe" ? admitted.prefers : admitted.kind;
    });
    expect(preferred).toEqual(["tried", "untried", "tried", "untried"]);
  });

  test("opens again in the same silence only for first tries, in a long run, and then for twice as long", () => {
    const lifted = passTime(apply(CLOSED, OPEN), 15_000);
    expect(lifted.open).toBeNull();
    const long = { nowMs: 16_000, holder: "a", itemsLeft: 1001 };
    expect(observeCalls(lifted, told(0, down(100, 200)), long).open).toBeNull();
    expect(observeCalls(lifted, told(0, firsts(100, 159)), long).open).toBeNull();
    expect(observeCalls(lifted, told(0, firsts(100, 160)), { ...long, itemsLeft: 1000 }).open).toBeNull();
    const reopened = observeCalls(lifted, told(0, firsts(100, 160)), long);
    expect(reopened.open).toMatchObject({ reason: "down" });
    expect(passTime(reopened, 16_000 + 29_999).open).not.toBeNull();
    const again = passTime(reopened, 16_000 + 30_000);
    expect(again.open).toBeNull();
    const later = { ...long, nowMs: 50_000 };
    expect(observeCalls(again, told(0, firsts(200, 219)), later).open).toBeNull();
    expect(observeCalls(again, told(0, firsts(200, 220)), later).open).not.toBeNull();
  });

  /** Rows of ten bad items with a good one after each opening: for how long it is open, one opening after the other. */
  function openForMs(everyMs: number, openings: number, change: Partial<Trouble> = {}): number[] {
    let circuit: Circuit = CLOSED;
    let atMs = 0;
    const see = (seen: Report) => {
      circuit = observeCalls(passTime(circuit, atMs), seen, { nowMs: atMs, holder: "a" });
    };
    return Array.from({ length: openings }, (_, n) => {
      atMs = n * everyMs;
      see(
        told(
          0,
          down(100 * n, 100 * n + 10).map((one): Trouble => ({ ...one, ...change })),
        ),
      );
      const sinceMs = atMs;
      while (circuit.open !== null && atMs < sinceMs + 20_000) {
        atMs += 250;
        circuit = passTime(circuit, atMs);
      }
      see(report({ answered: 1 }));
      return atMs - sinceMs;
    });
  }

  test("is open for 15 s in all where connections are made, and forgets a twentieth of the time", () => {
    expect(openForMs(20_000, 5)).toEqual([15_000, 0, 0, 0, 0]);
    // Five seconds are forgotten after 100 s.
    expect(openForMs(120_000, 3)).toEqual([15_000, 5250, 5750]);
    expect(openForMs(600_000, 3)).toEqual([15_000, 15_000, 15_000]);
  });

  test("is open for as long as nobody gets a connection, however often", () => {
    expect(openForMs(30_000, 4, { unreached: true })).toEqual([20_000, 20_000, 20_000, 20_000]);
  });

  test("opens for eight minutes in all in one silence of a long run", () => {
    let circuit = apply(CLOSED, OPEN);
    let atMs = 0;
    for (let first = 1000; first < 9000; first += 60) {
      while (circuit.open !== null) circuit = passTime(circuit, ++atMs * 1000);
      circuit = observeCalls(circuit, told(0, firsts(first, first + 60)), {
        nowMs: atMs * 1000,
        holder: "a",
        itemsLeft: 20_000,
      });
    }
    expect(circuit.open).toBeNull();
    expect(atMs).toBe(480);
  });

  test("that an older version stored has no silence", () => {
    const stored = { downItems: [1], open: { ...apply(CLOSED, OPEN).open!, probes: undefined } };
    const restored = afterRestart(stored as unknown as Circuit);
    expect(restored).toMatchObject({ silence: null, opensAfter: 10, open: { probes: 0, probe: null } });
  });
});
