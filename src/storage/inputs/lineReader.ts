/**
 * Lines of an upload read in windows: no stream is kept open while calls are made, and never more than a window
 * and one line are in memory. Blank lines are passed over, exactly as the scanner counted.
 *
 * What a line is and which ones are blank can be said otherwise: a CSV record goes over several lines.
 */
import { SOURCE_WINDOW_BYTES } from "../../core/limits.ts";
import { bomBytes, isBlank, LF, textEnd } from "../line.ts";

/** A line that is an item. */
export interface Line {
  /** Byte of the upload at which the line starts. */
  readonly byte: number;
  readonly text: string;
}

/** Gives bytes `from … to` of the upload. Throws when they cannot be had. */
export type ReadRange = (from: number, to: number) => Promise<Uint8Array>;

/** How bytes are cut into what is handed out, one after another. */
export interface Framing {
  /** Byte of the LF that ends what begins at `from`; -1 when that is not in `bytes`. */
  endOf(bytes: Uint8Array, from: number): number;
  /** True when `bytes[from…to)` is not an item. */
  isBlank(bytes: Uint8Array, from: number, to: number): boolean;
}

const LINES: Framing = { endOf: (bytes, from) => bytes.indexOf(LF, from), isBlank };

export class LineReader {
  readonly #readRange: ReadRange;
  readonly #totalBytes: number;
  readonly #framing: Framing;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #buffer: Uint8Array = new Uint8Array(0);
  /** Byte of the upload at which the buffer starts. */
  #bufferStart = 0;
  #at = 0;

  constructor(readRange: ReadRange, totalBytes: number, framing: Framing = LINES) {
    this.#readRange = readRange;
    this.#totalBytes = totalBytes;
    this.#framing = framing;
  }

  /** The byte up to which lines can be taken without reading. */
  bufferedTo(): number {
    return this.#bufferStart + this.#buffer.byteLength;
  }

  /** Goes on at `byte`, the start of a line; what is buffered beyond it is kept. */
  seek(byte: number): void {
    const at = byte - this.#bufferStart;
    if (at >= this.#at && at <= this.#buffer.byteLength) {
      this.#at = at;
      return;
    }
    this.#buffer = new Uint8Array(0);
    this.#bufferStart = byte;
    this.#at = 0;
  }

  /** The next item that is wholly in memory; null when more has to be read first or the upload is at its end. */
  take(): Line | null {
    for (;;) {
      const from = this.#at;
      const end = this.#framing.endOf(this.#buffer, from);
      if (end < 0 && (this.bufferedTo() < this.#totalBytes || from >= this.#buffer.byteLength)) return null;
      const to = end < 0 ? this.#buffer.byteLength : end;
      this.#at = end < 0 ? to : end + 1;
      const byte = this.#bufferStart + from;
      const start = from + (byte === 0 ? bomBytes(this.#buffer) : 0);
      if (this.#framing.isBlank(this.#buffer, start, to)) continue;
      const text = this.#decoder.decode(this.#buffer.subarray(start, textEnd(this.#buffer, start, to)));
      return { byte, text };
    }
  }

  /** Reads the next window, up to `wantedTo` when that is nearer. False at the end of the upload. */
  async fill(wantedTo: number): Promise<boolean> {
    const from = this.bufferedTo();
    if (from >= this.#totalBytes) return false;
    const wanted = wantedTo > from ? wantedTo : from + SOURCE_WINDOW_BYTES;
    const bytes = await this.#readRange(from, Math.min(wanted, from + SOURCE_WINDOW_BYTES, this.#totalBytes));
    const rest = this.#buffer.subarray(this.#at);
    const buffer = new Uint8Array(rest.byteLength + bytes.byteLength);
    buffer.set(rest);
    buffer.set(bytes, rest.byteLength);
    this.#bufferStart += this.#at;
    this.#buffer = buffer;
    this.#at = 0;
    return true;
  }
}
