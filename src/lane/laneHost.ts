/** What a lane sees of its invocation, and all it sees of it. */
import type { CommitOutcome, RunSettings } from "../core/protocol.ts";
import type { Clock } from "./clock.ts";
import type { LaneCommit } from "./exchange.ts";
import type { Seat } from "./permits/seat.ts";
import type { LanePorts } from "./ports.ts";
import type { Tally } from "./report.ts";
import type { Turns } from "./rows/turns.ts";

export interface LaneHost {
  readonly clock: Clock;
  readonly ports: LanePorts;
  readonly tally: Tally;
  /** Writes to storage go one after another. */
  readonly turns: Turns;
  settings(): RunSettings;
  seat(deadlineMs: () => number, callsLeft: () => number): Seat;
  /** True when no try may begin: the invocation winds down and holds no spare permit, or the run drains. */
  mustStop(): boolean;
  /** True when no lane should wait for anything any more. */
  isEnding(): boolean;
  isTargetDown(): boolean;
  /** When the target was certainly up last, local clock, as far as this invocation or the Run knows. */
  upMs(): number;
  isCurrentEpoch(epoch: number): boolean;
  /** The limiter's epoch as last heard: an opening of the circuit begins one, and so does a lower rate. */
  epoch(): number;
  /** The epoch that the last opening of the circuit began, as last heard; 0: it never opened. */
  openedIn(): number;
  /** What the Run last said of refused credentials, and how many items this invocation holds back for it. */
  refused(): { readonly epoch: number; readonly streak: number; readonly held: number };
  /** How large the lane's first part is, as a share of a full one. */
  firstPartShare(): number;
  /** How long rows may wait for their part as things are now. */
  rowsWaitMs(): number;
  hold(items: number): void;
  /** The host is not called for so long by anybody. */
  restHost(host: string, ms: number): void;
  hurry(ms: number): void;
  nextAnswer(withinMs: number): Promise<void>;
  announce(fence: number, ordinal: number): Promise<void>;
  commit(commit: LaneCommit, withinMs: number): Promise<CommitOutcome["kind"] | "closed">;
  indexed(chunk: number, n: number): void;
  background(work: Promise<void>): void;
}
