/**
 * Progress on stderr: a few lines that are redrawn in place on a terminal, else a line every few seconds.
 *
 * Invariants: what comes from outside is printed escaped; a drawn line is never longer than the terminal is wide,
 * so what was drawn can be taken back; colour only on a terminal that did not refuse it (NO_COLOR).
 */
import { isEnded, type RunView } from "../../core/run/runView.ts";
import { columnsOf, count, duration, printable, wrapped } from "./printable.ts";

export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
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
/** A line that says nothing new is said again after this, as a sign of life. */
const SAME_LINE_EVERY_MS = 60_000;
const BAR_CHARS = 24;
/** A terminal of 100 columns: the last one stays free, because writing there may wrap. */
const BAR_FROM_COLUMNS = 99;

/** A progress display on `screen`. */
export function createProgress(screen: Screen, options: { readonly colour: boolean }): Progress {
  return screen.isTTY === true ? drawnProgress(screen, options.colour) : printedProgress(screen);
}

/**
 * What is drawn: a bar with figures, and below it outcomes and the reason, each line at most `columns` wide. On a
 * narrow terminal the bar goes, then the words wrap: no figure and no word of the reason is ever left out.
 */
export function barLines(view: RunView, nowMs: number, columns: number): readonly string[] {
  const { counts, lanes } = view;
  const share = shareDone(view);
  const calls = counts.attempts + counts.throttled;
  const bar = barOf(share ?? 0, counts.items === null ? 0 : calls / counts.items);
  const figures = [
    columns < BAR_FROM_COLUMNS ? percent(share) : `${bar} ${percent(share)}`,
    doneOf(view),
    rateOf(view),
    `lanes ${lanes.live}/${lanes.max}`,
    etaOf(view, nowMs),
  ];
  const outcomes = [
    calls > counts.done ? `${count(calls)} called` : "",
    `${count(counts.ok)} ok`,
    `${count(counts.failed)} failed`,
    counts.throttled > 0 ? `${count(counts.throttled)} throttled` : "",
    whyOf(view),
  ];
  return [...wrapped(figures, columns), ...wrapped(outcomes, columns)];
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
      // What scrolled out of sight could not be taken back.
      const lines = barLines(view, nowMs, Math.max(1, (screen.columns ?? 80) - 1)).slice(
        0,
        Math.max(1, (screen.rows ?? 24) - 1),
      );
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
  let printed = "";
  return {
    show(view, nowMs) {
      printedAtMs ??= nowMs;
      const isNews = status !== "" && view.status !== status && !isEnded(view.status);
      status = view.status;
      const everyMs = contentOf(view) === printed ? SAME_LINE_EVERY_MS : LINE_EVERY_MS;
      if (!isNews && nowMs - printedAtMs < everyMs) return;
      printedAtMs = nowMs;
      printed = contentOf(view);
      screen.write(`${progressLine(view, nowMs)}\n`);
    },
    note: (line) => screen.write(`${line}\n`),
    clear: () => {},
  };
}

/** What makes a line news: not that a countdown goes on. */
function contentOf({ status, why, counts, lanes }: RunView): string {
  return JSON.stringify([status, why.replace(/[\d:.]+/g, "#"), counts, lanes.max]);
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
