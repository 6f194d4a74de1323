/**
 * Progress on stderr: a bar that is redrawn in place on a terminal, else a line every few seconds.
 *
 * Invariants: what comes from outside is printed escaped; a drawn line is never longer than the terminal is wide,
 * so what was drawn can be taken back; colour only on a terminal that did not refuse it (NO_COLOR).
 */
import { isEnded, type RunView } from "../core/runView.ts";
import { columnsOf, count, cut, duration, printable } from "./printable.ts";

export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Progress {
  /** Shows the run as it is now; may be called as often as one likes. */
  show(view: RunView, nowMs: number): void;
  /** Prints a line that stays. */
  note(line: string): void;
  /** Takes the bar away. */
  clear(): void;
}

const REDRAW_MS = 200;
const LINE_EVERY_MS = 5000;
const BAR_CHARS = 24;

/** A progress display on `screen`. */
export function createProgress(screen: Screen, options: { readonly colour: boolean }): Progress {
  return screen.isTTY === true ? drawnProgress(screen, options.colour) : printedProgress(screen);
}

/** The two lines of the bar, `columns` wide at most. */
export function barLines(view: RunView, nowMs: number, columns: number): readonly string[] {
  const { counts, lanes } = view;
  const share = shareDone(view);
  const calls = counts.attempts + counts.throttled;
  const called = calls > counts.done ? `${count(calls)} called  ` : "";
  const bar = barOf(share ?? 0, counts.items === null ? 0 : calls / counts.items);
  const throttled = counts.throttled > 0 ? `  ${count(counts.throttled)} throttled` : "";
  return [
    [
      `${bar} ${percent(share)}`,
      doneOf(view),
      rateOf(view),
      `lanes ${lanes.live}/${lanes.max}`,
      etaOf(view, nowMs),
    ]
      .filter((part) => part !== "")
      .join("  "),
    `${called}${count(counts.ok)} ok  ${count(counts.failed)} failed${throttled}  ${whyOf(view)}`,
  ].map((line) => cut(line, columns));
}

/** Committed solid, called and not committed yet light: lanes commit a hundred rows at once. */
function barOf(done: number, called: number): string {
  const solid = Math.round(done * BAR_CHARS);
  const light = Math.max(0, Math.min(BAR_CHARS, Math.round(called * BAR_CHARS)) - solid);
  return "█".repeat(solid) + "▒".repeat(light) + "░".repeat(BAR_CHARS - solid - light);
}

/** One line that says it all, for logs. */
export function progressLine(view: RunView, nowMs: number): string {
  return `${figuresLine(view, nowMs)}  ${whyOf(view)}`;
}

/** How far a run is and how fast it goes, on one line. */
export function figuresLine(view: RunView, nowMs: number): string {
  const { counts, lanes } = view;
  const parts = [
    percent(shareDone(view)),
    doneOf(view),
    rateOf(view),
    `lanes ${lanes.live}/${lanes.max}`,
    `${count(counts.ok)} ok`,
    `${count(counts.failed)} failed`,
    `${count(counts.throttled)} throttled`,
    etaOf(view, nowMs),
  ];
  return parts.filter((part) => part !== "").join("  ");
}

function drawnProgress(screen: Screen, colour: boolean): Progress {
  let drawn: readonly string[] = [];
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (drawn.length === 0) return;
    // A terminal that became narrower has wrapped what was drawn.
    const columns = Math.max(1, screen.columns ?? 80);
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(columnsOf(line) / columns)), 0);
    screen.write(`\r\x1b[${rows}A\x1b[J`);
    drawn = [];
  };
  return {
    show(view, nowMs) {
      if (nowMs - drawnAtMs < REDRAW_MS) return;
      const lines = barLines(view, nowMs, (screen.columns ?? 80) - 1);
      clear();
      screen.write(lines.map((line, i) => `${colour ? coloured(line, i, view) : line}\n`).join(""));
      drawn = lines;
      drawnAtMs = nowMs;
    },
    note(line) {
      clear();
      screen.write(`${line}\n`);
      drawnAtMs = Number.NEGATIVE_INFINITY;
    },
    clear,
  };
}

function printedProgress(screen: Screen): Progress {
  let printedAtMs: number | null = null;
  let status = "";
  return {
    show(view, nowMs) {
      printedAtMs ??= nowMs;
      const isNews = status !== "" && view.status !== status && !isEnded(view.status);
      status = view.status;
      if (!isNews && nowMs - printedAtMs < LINE_EVERY_MS) return;
      printedAtMs = nowMs;
      screen.write(`${progressLine(view, nowMs)}\n`);
    },
    note: (line) => screen.write(`${line}\n`),
    clear: () => {},
  };
}

/** Between 0 and 1; null while the number of items is not known. */
function shareDone(view: RunView): number | null {
  const { items, done } = view.counts;
  return items === null || items === 0 ? null : done / items;
}

/** Rounded down: 100 % means that nothing is left. */
function percent(share: number | null): string {
  return share === null ? "" : `${Math.floor(share * 100)} %`;
}

function doneOf({ counts }: RunView): string {
  return counts.items === null ? count(counts.done) : `${count(counts.done)}/${count(counts.items)}`;
}

function rateOf({ rate }: RunView): string {
  const current = count(rate.currentPerSecond);
  if (rate.limitPerSecond === null) return `${current}/s`;
  return `${rate.limitPerSecond < 10 ? rate.currentPerSecond.toFixed(1) : current}/s of ${limit(rate.limitPerSecond)}`;
}

function limit(perSecond: number): string {
  if (perSecond >= 1) return `${Number(perSecond.toFixed(2)).toLocaleString("en-US")}/s`;
  if (perSecond * 60 >= 1) return `${Number((perSecond * 60).toFixed(2))}/min`;
  return `${Number((perSecond * 3600).toFixed(2))}/h`;
}

function etaOf(view: RunView, nowMs: number): string {
  if (view.eta === null || isEnded(view.status)) return "";
  return `${duration(Date.parse(view.eta) - nowMs)} left`;
}

/** "paused: by request": status and reason, neither of them twice. */
export function statusAndWhy(view: RunView): string {
  const why = printable(view.why);
  return why.startsWith(view.status) ? why : `${view.status}: ${why}`;
}

function whyOf(view: RunView): string {
  return view.status === "running" ? printable(view.why) : statusAndWhy(view);
}

function coloured(line: string, row: number, view: RunView): string {
  if (row === 0)
    return line.replace(/^[█▒░]+/, (bar) => `\x1b[${view.counts.failed > 0 ? 33 : 32}m${bar}\x1b[0m`);
  return `\x1b[2m${line}\x1b[0m`;
}
