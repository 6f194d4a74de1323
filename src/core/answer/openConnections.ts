/**
 * Whether a connection that was lost may have been used by another call before.
 *
 * A runtime keeps the connection of an answered call for a while and gives it to a later call; no API says which. If the
 * other side closes it at that moment, the later call ends without a byte of an answer, which says nothing about item
 * or target: it is repeated at once. Every answered call leaves at most one connection open, so each permits one such
 * repeat for so long: a target that closes every second connection costs nobody an attempt, and one that closes all of
 * them costs no more repeats than it had answered calls just before. Pure; `nowMs` is passed in.
 */
import { CONNECTION_KEPT_MS, OPEN_CONNECTIONS_COUNTED, ORIGINS_COUNTED } from "../limits.ts";

export class OpenConnections {
  /** By origin, when each connection was left open; the newest last. */
  readonly #since = new Map<string, number[]>();

  /** A call was answered: its connection stays open. Beyond the bound the oldest are forgotten. */
  leave(origin: string, nowMs: number): void {
    const open = this.#since.get(origin);
    if (open === undefined) {
      if (this.#since.size >= ORIGINS_COUNTED) this.#since.clear();
      this.#since.set(origin, [nowMs]);
      return;
    }
    open.push(nowMs);
    if (open.length > 2 * OPEN_CONNECTIONS_COUNTED) open.splice(0, OPEN_CONNECTIONS_COUNTED);
  }

  /** A call had no byte of an answer. True: it may have had one of those that were open. */
  lose(origin: string, nowMs: number): boolean {
    const newest = this.#since.get(origin)?.pop();
    if (newest === undefined) return false;
    if (nowMs - newest <= CONNECTION_KEPT_MS) return true;
    // All others are older.
    this.#since.delete(origin);
    return false;
  }
}
