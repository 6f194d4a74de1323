/**
 * A run's rows in the order of their commits, copied while it goes on. The order never changes and every row is a
 * line, so a copy whose stream broke off goes on after the last whole line: no row is missing, none comes twice. Rows of
 * parts that cannot be read are left out, and the copy fails when it has the others; it does not go on after a break,
 * because the place of the next row cannot be counted any more.
 */
import type { Client } from "../client.ts";
import { refuseLostRows } from "./lostRows.ts";

export interface CopyOptions {
  readonly run: string;
  readonly only?: "ok" | "failed" | undefined;
  /** Rows that are there already. */
  readonly rows?: number;
  /** Takes whole lines; its failure ends the copy. */
  write(lines: Buffer): Promise<void>;
}

/** The one who takes the rows failed, not the one who sends them. */
export class SinkFault extends Error {
  constructor(cause: unknown) {
    super("the rows are not taken", { cause });
  }
}

const LINE_END = 10;

export class RowCopy {
  readonly #options: CopyOptions;
  #rows: number;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.#rows = options.rows ?? 0;
  }

  /** Whole rows that were taken. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Copies from where it is to the run's end (`follow`) or to what is committed now. Throws when the stream breaks
   * off or cannot be had, SinkFault, and RowsLost.
   */
  async goOn(
    client: Client,
    options: { readonly follow: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    const { run, only } = this.#options;
    if (this.#rows > 0) await refuseLostRows(client, run, `; weir results ${run} gives all that are left`);
    const query = {
      order: "commits",
      skip: this.#rows,
      only,
      follow: options.follow || undefined,
      unreadable: "skip",
    };
    const rows = await client.open(`/v1/runs/${encodeURIComponent(run)}/results`, {
      query,
      signal: options.signal,
    });
    let open = Buffer.alloc(0);
    try {
      for await (const chunk of rows) open = await this.#take(Buffer.concat([open, chunk]));
    } finally {
      rows.destroy();
    }
    await refuseLostRows(client, run);
  }

  /** Returns the line that is not whole yet. */
  async #take(bytes: Buffer): Promise<Buffer<ArrayBuffer>> {
    const end = bytes.lastIndexOf(LINE_END) + 1;
    const lines = bytes.subarray(0, end);
    if (end > 0) {
      try {
        await this.#options.write(lines);
      } catch (error) {
        throw new SinkFault(error);
      }
      this.#rows += countLines(lines);
    }
    return Buffer.from(bytes.subarray(end));
  }
}

/** Line ends in the bytes. */
export function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1)) lines += 1;
  return lines;
}
