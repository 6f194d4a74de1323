import { describe, expect, it } from "vitest";
import { REFUSED_TO_PAUSE, USED_UP_TO_PAUSE } from "../../../src/core/limits.ts";
import type { Refusal, Report, Trouble } from "../../../src/core/protocol.ts";
import {
  noRefusals,
  pauseRefusals,
  type Refusals,
  refusalSentence,
  resumeRefusals,
  seeRefusals,
} from "../../../src/core/run/refusals.ts";
import { resume } from "../../../src/core/run/run.ts";
import type { TaskOutcome } from "../../../src/tasks/task.ts";
import { report, spec } from "../../support/coreRun.ts";
import { LaneWorld, type WorldOptions } from "../../support/laneWorld.ts";

const FORBIDDEN: Refusal = { message: "403 Forbidden" };

function refused(index: number, refusal = FORBIDDEN): Trouble {
  return { kind: "refused", index, epoch: 1, retryAfterMs: null, probe: false, refusal };
}

/** Items `from` to `to` are refused one after another, each in a report of its own. */
function refuse(before: Refusals, from: number, to: number, refusal = FORBIDDEN) {
  let refusals = before;
  let pausedAt: number | null = null;
  for (let index = from; index <= to && pausedAt === null; index++) {
    const seen = seeRefusals(
      refusals,
      report({ troubles: [refused(index, refusal)], troublesSinceAnswer: 1 }),
    );
    refusals = seen.pauses ? pauseRefusals(seen.refusals) : seen.refusals;
    if (seen.pauses) pausedAt = index;
  }
  return { refusals, pausedAt };
}

const answered = (refusals: Refusals, change: Partial<Report> = {}) =>
  seeRefusals(refusals, report({ answered: 1, ...change })).refusals;

describe("refusals", () => {
  it("pause the run after so many different items in a row", () => {
    expect(refuse(noRefusals(), 1, 100).pausedAt).toBe(REFUSED_TO_PAUSE);
    const again = report({ troubles: [refused(1)], troublesSinceAnswer: 1 });
    let refusals = noRefusals();
    for (let n = 0; n < 100; n++) ({ refusals } = seeRefusals(refusals, again));
    expect(refusals.streak).toEqual([1]);
  });

  it("pause it sooner where the account is said to be used up", () => {
    const usedUp = { message: "402 Payment Required", because: "used-up" } as const;
    expect(refuse(noRefusals(), 1, 100, usedUp).pausedAt).toBe(USED_UP_TO_PAUSE);
  });

  it("begin anew with every answered call", () => {
    const { refusals } = refuse(noRefusals(), 1, REFUSED_TO_PAUSE - 1);
    const after = answered(refusals);
    expect(after).toMatchObject({ streak: [], epoch: 1 });
    expect(refuse(after, 1, 100).pausedAt).toBe(REFUSED_TO_PAUSE);
  });

  it("of the same items never pause a second time, and of new ones only after twice as many", () => {
    const first = refuse(noRefusals(), 1, 100).refusals;
    const resumed = resumeRefusals(first, false);
    expect(refuse(resumed, 1, REFUSED_TO_PAUSE).pausedAt).toBe(null);
    const second = refuse(resumed, 1, 1000);
    expect(second.pausedAt).toBe(3 * REFUSED_TO_PAUSE);
    const third = refuse(resumeRefusals(second.refusals, false), 1, 1000);
    expect(third.pausedAt).toBe(7 * REFUSED_TO_PAUSE);
  });

  it("of the same items do not pause either when others were answered in between", () => {
    const resumed = resumeRefusals(refuse(noRefusals(), 1, 100).refusals, false);
    const after = answered(resumed);
    expect(refuse(after, 1, REFUSED_TO_PAUSE).pausedAt).toBe(null);
    expect(refuse(after, 100, 200).pausedAt).toBe(99 + REFUSED_TO_PAUSE);
  });

  it("pause a retry once, and one whose parent was refused never", () => {
    expect(refuse(noRefusals(true), 1, 1000).pausedAt).toBe(null);
    const resumed = resumeRefusals(refuse(noRefusals(), 1, 100).refusals, true);
    expect(refuse(resumed, 1, 1000).pausedAt).toBe(null);
  });

  it("remember nothing of a pause that had another reason", () => {
    const { refusals } = refuse(noRefusals(), 1, 5);
    expect(resumeRefusals(refusals, true)).toEqual({ streak: [], epoch: 1 });
  });
});

describe("the sentence of a pause", () => {
  const withKey = spec({
    task: { kind: "http", url: "https://a/{{item}}", headers: { authorization: "Bearer {{ secret:KEY }}" } },
  });

  it.each<[string, ReturnType<typeof spec>, Refusal | undefined, RegExp]>([
    ["of a key", withKey, FORBIDDEN, /^the target refuses the credentials \(403 Forbidden\)/],
    [
      "without a key",
      spec(),
      FORBIDDEN,
      /^the target refuses every call \(403 Forbidden\), and the spec sends no cred/,
    ],
    ["of an older lane", withKey, undefined, /^the target refuses the credentials \(401 or 403\)/],
    [
      "of credits",
      withKey,
      { message: "402 Payment Required: add credits", because: "used-up" },
      /used up \(402 Pay/,
    ],
    [
      "of a rule",
      withKey,
      { message: "no", because: "rule" },
      /refuses all \(no\), as a rule of the spec says/,
    ],
  ])("says what the target said: %s", (_case, of, last, sentence) => {
    const refusals = { ...noRefusals(), ...(last !== undefined && { last }) };
    expect(refusalSentence(of, refusals)).toMatch(sentence);
  });
});

const OK: TaskOutcome = { kind: "ok", value: null, status: 200 };
const OWN: TaskOutcome = {
  kind: "permanent",
  errorKind: "http",
  message: "403 Forbidden",
  status: 403,
  refused: true,
  called: true,
};

/** Failed rows alone pause no run here. */
const tolerate = { failureRate: 1, over: 1000, then: "pause" } as const;

function worldOf(change: Partial<WorldOptions>): LaneWorld {
  const world = new LaneWorld({
    items: 120,
    spec: { chunkSize: 50, maxParallelism: 8, tolerate },
    ...change,
  });
  world.keep(2);
  return world;
}

/** Resumes at most `times` until the run does not pause any more; gives how often it did. */
async function resumed(world: LaneWorld, times: number): Promise<number> {
  await world.untilEnded();
  let n = 0;
  for (; world.run.state.status === "paused" && n < times; n++) {
    resume(world.run, "1", world.time.nowMs);
    world.keep(2);
    await world.untilEnded();
  }
  return n;
}

describe("a run with items that are forbidden themselves", () => {
  it("never pauses while others are answered", async () => {
    const world = worldOf({ outcome: (index) => (index % 4 === 0 ? OWN : OK) });
    await world.untilEnded();
    expect(world.run.state.counts).toMatchObject({ done: 120, failed: 30 });
  });

  it("ends after one resume where forty of them stand at its head", async () => {
    const world = worldOf({ outcome: (index) => (index < 40 ? OWN : OK) });
    expect(await resumed(world, 5)).toBe(1);
    expect(world.run.state.counts).toMatchObject({ done: 120, failed: 40 });
  });

  it("ends after one resume where forty of them stand at its tail", async () => {
    const world = worldOf({ outcome: (index) => (index >= 80 ? OWN : OK) });
    expect(await resumed(world, 5)).toBeLessThanOrEqual(1);
    expect(world.run.state.counts).toMatchObject({ done: 120, failed: 40 });
  });

  it("ends after a few resumes where all of them are", async () => {
    const world = worldOf({ outcome: () => OWN });
    expect(await resumed(world, 10)).toBeLessThanOrEqual(3);
    expect(world.run.state.counts).toMatchObject({ done: 120, failed: 120 });
  });

  it("loses no row to a key that is still wrong when somebody resumes", async () => {
    let isWrong = true;
    const world = worldOf({ items: 1000, outcome: () => (isWrong ? OWN : OK) });
    await world.untilEnded();
    expect(await resumed(world, 1)).toBe(1);
    expect(world.run.state.status).toBe("paused");
    isWrong = false;
    await resumed(world, 1);
    expect(world.run.state.counts).toMatchObject({ done: 1000, failed: 0 });
  });

  it("ends without a pause when it retries what was refused before", async () => {
    const world = worldOf({ outcome: () => OWN });
    world.run.state.refused = noRefusals(true);
    expect(await resumed(world, 1)).toBe(0);
    expect(world.run.state.counts).toMatchObject({ done: 120, failed: 120 });
  });
});
