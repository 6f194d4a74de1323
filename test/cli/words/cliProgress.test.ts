/** Progress never breaks a terminal: what is drawn fits, what comes from outside is escaped. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { columnsOf, count, cut, duration, printable } from "../../../src/cli/words/printable.ts";
import { barLines, createProgress, progressLine } from "../../../src/cli/words/progress.ts";
import type { RunView } from "../../../src/core/run/runView.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");

const view = (change: Partial<RunView> = {}): RunView =>
  ({
    id: "r_1",
    status: "running",
    why: "quota: 1,000/s is the limit",
    eta: "2026-11-21T12:00:09.000Z",
    counts: { items: 20_000, done: 10_400, ok: 10_310, failed: 90, attempts: 10_500, throttled: 3 },
    lanes: { live: 96, max: 100 },
    rate: { limitPerSecond: 1000, effectiveLimitPerSecond: 1000, currentPerSecond: 998.4 },
    ...change,
  }) as RunView;

function screen(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe("progress", () => {
  test("says done, rate against limit, lanes, outcomes, time left and why on one line", () => {
    expect(progressLine(view(), NOW)).toBe(
      "52 %  10,400/20,000  998/s of 1,000/s  lanes 96/100  10,310 ok  90 failed  3 throttled  9 s left  " +
        "quota: 1,000/s is the limit",
    );
  });

  test("says 100 % only when nothing is left", () => {
    const counts = { ...view().counts, items: 100_000, done: 99_999 };
    expect(progressLine(view({ counts }), NOW)).toMatch(/^99 %/);
  });

  test("names the status where it is not running, and never twice", () => {
    expect(progressLine(view({ status: "paused", why: "paused: by request" }), NOW)).toMatch(
      / {2}paused: by request$/,
    );
    expect(progressLine(view({ status: "finishing", why: "joining" }), NOW)).toMatch(
      / {2}finishing: joining$/,
    );
  });

  test("does without a number of items, a quota or an estimate", () => {
    const counts = { ...view().counts, items: null };
    const rate = { limitPerSecond: null, effectiveLimitPerSecond: null, currentPerSecond: 12 };
    expect(progressLine(view({ counts, rate, eta: null }), NOW)).toMatch(/^10,400 {2}12\/s {2}lanes/);
  });

  test("shows slow limits in the unit that people use", () => {
    const rate = { limitPerSecond: 0.5, effectiveLimitPerSecond: 0.5, currentPerSecond: 0.5 };
    expect(progressLine(view({ rate }), NOW)).toContain("0.5/s of 30/min");
  });

  test("draws lines that fit, whatever comes from outside", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 200 }), (why, columns) => {
        for (const line of barLines(view({ why }), NOW, columns)) {
          expect(columnsOf(line)).toBeLessThanOrEqual(columns);
          expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
        }
      }),
    );
  });

  const hosts = "hosts: 2 hosts at 2/s each; quota.perHost is the limit, and nothing else holds the run";

  test("on 100 columns draws the bar, figures, outcomes and the reason", () => {
    const [bar, words, ...more] = barLines(view(), NOW, 99);
    expect(bar).toMatch(
      /^[█▒░]{24} 52 % {2}10,400\/20,000 {2}998\/s of 1,000\/s {2}lanes 96\/100 {2}9 s left$/,
    );
    expect(words).toMatch(/^10,503 called .*3 throttled {2}quota: 1,000\/s is the limit$/);
    expect(more).toEqual([]);
  });

  test.each([[98], [79], [59], [39], [19]])(
    "on %i columns leaves out the bar, and no figure and no word",
    (columns) => {
      const lines = barLines(view({ why: hosts }), NOW, columns);
      expect(lines.join("\n")).not.toMatch(/[█▒░…]/);
      expect(lines.join(" ").replace(/ +/g, " ")).toBe(
        `52 % 10,400/20,000 998/s of 1,000/s lanes 96/100 9 s left 10,503 called 10,310 ok 90 failed 3 throttled ${hosts}`,
      );
    },
  );

  test("draws what is called and not committed yet lighter, and says how much that is", () => {
    const counts = { items: 1000, done: 250, ok: 250, failed: 0, attempts: 490, throttled: 10 };
    const [bar, words] = barLines(view({ counts }), NOW, 100);
    expect(bar).toMatch(/^█{6}▒{6}░{12} 25 %/);
    expect(words).toMatch(/^500 called {2}250 ok/);
    const [, ended] = barLines(view({ counts: { ...counts, done: 500, ok: 500 } }), NOW, 100);
    expect(ended).toMatch(/^500 ok/);
  });

  test("on a terminal takes back what it drew before it draws again", () => {
    const terminal = screen(true);
    const progress = createProgress(terminal, { colour: false });
    progress.show(view(), NOW);
    progress.show(view(), NOW + 10);
    expect(terminal.written, "not more than five times a second").toHaveLength(1);
    progress.show(view(), NOW + 1000);
    expect(terminal.written[1]).toBe("\r\x1b[2A\x1b[J");
    progress.clear();
    expect(terminal.written.at(-1)).toBe("\r\x1b[2A\x1b[J");
  });

  test("on a terminal that became narrower takes back the wrapped rows too", () => {
    const terminal = screen(true, 100);
    const progress = createProgress(terminal, { colour: false });
    progress.show(view(), NOW);
    terminal.columns = 50;
    progress.clear();
    expect(terminal.written.at(-1)).toBe("\r\x1b[4A\x1b[J");
  });

  test("uses colour only where it is wanted", () => {
    for (const colour of [true, false]) {
      const terminal = screen(true);
      createProgress(terminal, { colour }).show(view(), NOW);
      expect(terminal.written.join("").includes("\x1b[")).toBe(colour);
    }
  });

  test("never draws more lines than the terminal has: they could not be taken back", () => {
    const terminal = { ...screen(true, 10), rows: 5 };
    createProgress(terminal, { colour: false }).show(view({ why: hosts }), NOW);
    expect(terminal.written[0]?.split("\n")).toHaveLength(5);
  });

  test("elsewhere prints a line every five seconds, and at once when the status changes", () => {
    const log = screen(false);
    const progress = createProgress(log, { colour: false });
    for (let ms = 0; ms <= 11_000; ms += 250) {
      progress.show(view({ counts: { ...view().counts, done: 10_400 + ms } }), NOW + ms);
    }
    expect(log.written).toHaveLength(2);
    progress.show(view({ status: "paused", why: "paused: by request" }), NOW + 11_250);
    expect(log.written).toHaveLength(3);
    expect(log.written.join("")).not.toContain("\x1b");
  });

  test("elsewhere repeats what has not changed once a minute, a countdown included", () => {
    const log = screen(false);
    const progress = createProgress(log, { colour: false });
    for (let s = 0; s <= 130; s++) {
      const why = `no connection for ${s} s, refused by 127.0.0.1:80; next try in ${30 - (s % 30)} s`;
      progress.show(view({ why, eta: new Date(NOW + 200_000).toISOString() }), NOW + s * 1000);
    }
    expect(log.written).toHaveLength(3);
  });
});

describe("printable", () => {
  test("escapes what a terminal acts on and keeps JSON's meaning", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const shown = printable(JSON.stringify(text));
        expect(JSON.parse(shown)).toBe(text);
        expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });

  test.each([
    [0, "0 s"],
    [59_400, "59 s"],
    [60_000, "1 min"],
    [200_000, "3 min 20 s"],
    [18_720_000, "5 h 12 min"],
    [273_600_000, "3 d 4 h"],
    [-5, "0 s"],
  ])("shows %i ms as %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test("counts two columns for a wide character, and cuts between characters", () => {
    expect(columnsOf("a漢字🙂é")).toBe(8);
    expect(cut("漢字漢字", 8)).toBe("漢字漢字");
    expect(cut("漢字漢字", 6)).toBe("漢字…");
  });

  test("groups thousands", () => {
    expect(count(1_234_567)).toBe("1,234,567");
  });
});
