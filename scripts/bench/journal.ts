/**
 * What a measurement prints, and where it goes: to the terminal at once, and with `--write` into the document's section
 * of the scene that printed it. A scene that was not run leaves its section as it was.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { resolve } from "node:path";

const DOCUMENT = resolve(import.meta.dirname, "../../docs/benchmarks.md");
const CHARTS = resolve(import.meta.dirname, "../../docs/charts");

/** One line of a table over repeated runs. */
export type Figure<Run> = readonly [name: string, of: (run: Run) => number, digits: number];

export class Journal {
  readonly #scene: string;
  readonly #isWriting: boolean;
  readonly #printed: string[] = [];

  /** `scene`: the name of its section in the document. */
  constructor(scene: string, isWriting: boolean) {
    this.#scene = scene;
    this.#isWriting = isWriting;
    this.say(machine());
  }

  say(...lines: readonly string[]): void {
    this.#printed.push(...lines);
    process.stdout.write(`${lines.join("\n")}\n`);
  }

  /** Medians, least and most of repeated runs. */
  spread<Run>(runs: readonly Run[], figures: readonly Figure<Run>[]): void {
    this.say("", "| | median | least | most |", "| --- | ---: | ---: | ---: |");
    for (const [name, of, digits] of figures) {
      const all = runs.map(of);
      const [mid, least, most] = [median(all), Math.min(...all), Math.max(...all)].map((value) =>
        shown(value, digits),
      );
      this.say(`| ${name} | ${mid} | ${least} | ${most} |`);
    }
  }

  /** A table whose cells are already text; the first line is its head. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    this.say("", row(head), row(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(row));
  }

  /** An SVG beside the document, linked where this is said. */
  chart(name: string, title: string, svg: string): void {
    if (this.#isWriting) writeFileSync(resolve(CHARTS, `${name}.svg`), svg);
    this.#printed.push("", `![${title}](charts/${name}.svg)`);
  }

  /** Puts what was printed into the document. Throws when it has no place for it. */
  close(): void {
    if (!this.#isWriting) return;
    const begin = `<!-- figures: ${this.#scene} -->`;
    const end = `<!-- end of figures: ${this.#scene} -->`;
    const text = readFileSync(DOCUMENT, "utf8");
    const [before, rest] = text.split(begin);
    const after = rest?.split(end)[1];
    if (before === undefined || after === undefined) throw new Error(`${DOCUMENT} has no ${begin}`);
    writeFileSync(DOCUMENT, `${before}${begin}\n\n${this.#printed.join("\n")}\n\n${end}${after}`);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** A number as it stands in a table; "–" for what could not be measured. */
export function shown(value: number, digits = 0): string {
  if (Number.isNaN(value)) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** "20.4 (20.3–20.6)". */
export function withSpread(values: readonly number[], digits = 0): string {
  const [mid, least, most] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    shown(value, digits),
  );
  return values.length === 1 || least === most ? `${mid}` : `${mid} (${least}–${most})`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function machine(): string {
  return (
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "unknown processor"}, ` +
    `${availableParallelism()} cores shared by all that is measured; Node ${process.versions.node}; ` +
    `load before the start ${loadavg()[0]?.toFixed(1)}`
  );
}
