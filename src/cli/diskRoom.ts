/** Whether the disk of a state folder has room: the runtime itself is told no more than that a write failed. */
import { statfsSync } from "node:fs";

/** SQLite and the parts of a run need some pages at once: with less than this nothing is committed. */
const LEAST_BYTES = 1_000_000;
const LOOK_MS = 5000;

export interface Room {
  readonly bytes: number;
  /** Null where the file system does not count them. */
  readonly files: number | null;
}

/** The room on the disk of `path`; null where it cannot be known. */
export function roomAt(path: string): Room | null {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    return { bytes: bavail * bsize, files: files === 0 ? null : ffree };
  } catch {
    return null;
  }
}

/** Says once that the disk is full, and once when it is not any more. */
export class DiskWatch {
  readonly #path: string;
  readonly #look: () => Room | null;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isFull = false;

  constructor(path: string, look: () => Room | null = () => roomAt(path)) {
    this.#path = path;
    this.#look = look;
  }

  /** A sentence when something has changed since it was asked last. */
  news(nowMs: number): string | null {
    if (nowMs - this.#lookedMs < LOOK_MS) return null;
    this.#lookedMs = nowMs;
    const room = this.#look();
    const what = room === null ? null : lacking(room);
    if ((what !== null) === this.#isFull) return null;
    this.#isFull = what !== null;
    if (what === null) return `there is room on the disk of ${this.#path} again`;
    return `the disk of ${this.#path} has no ${what} left: nothing can be stored; make room, and the work goes on`;
  }
}

function lacking({ bytes, files }: Room): string | null {
  if (bytes < LEAST_BYTES) return "space";
  return files === 0 ? "room for another file (inodes)" : null;
}
