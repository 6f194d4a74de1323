/**
 * What went wrong with a database, sorted once: whose fault it is, and whether another try may help.
 * By SQLSTATE (PostgreSQL, appendix A); messages carry the code, so that failures are grouped and looked up by it.
 */
import type { TaskOutcome } from "../task.ts";

/** A statement or connection failed. */
export class DatabaseFault extends Error {
  /** Five characters; null where no answer came. */
  readonly sqlState: string | null;
  /** The connection is of no use any more. */
  readonly isLost: boolean;
  /** The statement was given up at its time limit. */
  readonly timedOut: boolean;

  constructor(
    message: string,
    options: { readonly sqlState: string | null; readonly isLost: boolean; readonly timedOut?: boolean },
  ) {
    super(message);
    this.name = "DatabaseFault";
    this.sqlState = options.sqlState;
    this.isLost = options.isLost;
    this.timedOut = options.timedOut ?? false;
  }
}

/** The statement returned more than may be held. */
export class TooManyRows extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TooManyRows";
  }
}

/** Too many connections, out of memory, disk or another resource: asked to slow down. */
const BUSY = /^53/;
/** Connection lost, server shutting down or starting up, session ended by the server. */
const AWAY = /^(08|57P0[1-5])/;
/** Serialization failure, deadlock, lock not available, a standby that had to cancel. */
const TRY_AGAIN = /^(40|55P03|57014)/;
/** Wrong password, no such user or database, may not connect: nothing that is tried again will change. */
const REFUSED = /^(28|3D)/;
const READ_ONLY = "25006";

/** True where the database refuses us by name: the run has to wait for somebody. */
export function isRefusedForGood(fault: unknown): boolean {
  return fault instanceof DatabaseFault && fault.sqlState !== null && REFUSED.test(fault.sqlState);
}

/** The outcome of a try that ended in `fault`; `called`: a statement had left. Rethrows what is not the database's. */
export function outcomeOfDatabaseFault(fault: unknown, called: boolean): TaskOutcome {
  if (fault instanceof TooManyRows) {
    return { kind: "permanent", errorKind: "task", message: fault.message, called };
  }
  if (!(fault instanceof DatabaseFault)) throw fault;
  const { message, sqlState, timedOut } = fault;
  // The database has answered: a statement that is too slow is not a sign that it is down.
  if (timedOut)
    return { kind: "transient", errorKind: "timeout", message, retryAfterMs: null, isDown: false };
  if (sqlState === null || AWAY.test(sqlState)) {
    return { kind: "transient", errorKind: "network", message, retryAfterMs: null };
  }
  if (BUSY.test(sqlState)) return { kind: "throttled", message, retryAfterMs: null };
  if (TRY_AGAIN.test(sqlState)) {
    return { kind: "transient", errorKind: "task", message, retryAfterMs: null, isDown: false };
  }
  if (REFUSED.test(sqlState)) {
    return { kind: "permanent", errorKind: "task", message, refused: true, called };
  }
  const hint = sqlState === READ_ONLY ? '; "write": true in the task permits it' : "";
  return { kind: "permanent", errorKind: "task", message: `${message}${hint}`, called };
}
