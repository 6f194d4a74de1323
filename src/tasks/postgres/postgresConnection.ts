/**
 * A lane's connection to a database, and the transactions that run on it.
 *
 * Invariants: there is never a second connection beside the first: a new one is opened after the server has closed
 * the old one. Every statement runs in `BEGIN [READ ONLY]; SET LOCAL statement_timeout …`. `close` resolves when the
 * backend is gone. A connection string appears in no error.
 */
import { LEASE_MARGIN_MS, POSTGRES_CONNECT_MS, POSTGRES_IDLE_LEAST_MS } from "../../core/limits.ts";
import type { PostgresClient, RowBounds, SqlValue, StatementResult } from "./postgresClient.ts";
import { DatabaseFault } from "./postgresFaults.ts";
import { withoutPassword } from "./postgresPassword.ts";

export type { RowBounds, SqlValue, StatementResult };

/** Where a connection goes. */
export interface ConnectionTarget {
  readonly connectionString: string;
  /** Through Hyperdrive: a pool stands in between, and settings of a session do not last. */
  readonly isPooled: boolean;
}

/**
 * How long a backend may outlive the process that held it: what its statement may still take. Also what an idle
 * connection of a process that hangs is kept, so that it ends before its lane's slot is given to another.
 */
export function lingerMsOf(timeoutMs: number): number {
  return Math.max(timeoutMs, POSTGRES_IDLE_LEAST_MS) + LEASE_MARGIN_MS;
}

export interface TransactionOptions {
  /** False: READ ONLY, which the server enforces. */
  readonly write: boolean;
  /** Of each statement. */
  readonly timeoutMs: number;
  readonly bounds: RowBounds;
}

/** Runs exactly one statement of a transaction. Throws DatabaseFault or TooManyRows. */
export type RunStatement = (text: string, values: readonly SqlValue[]) => Promise<StatementResult>;

export class PostgresConnection {
  readonly #target: ConnectionTarget;
  readonly #application: string;
  readonly #timeoutMs: number;
  #client: PostgresClient | null = null;

  /**
   * `application`: what the server shows as `application_name`. `timeoutMs`: the longest statement there will be.
   * Nothing is opened before `open`.
   */
  constructor(
    target: ConnectionTarget,
    options: { readonly application: string; readonly timeoutMs: number },
  ) {
    this.#target = target;
    this.#application = options.application;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Connects, if there is no connection that can be used. Throws DatabaseFault. */
  async open(): Promise<void> {
    if (this.#client?.isOpen === true) return;
    await this.close();
    const { connectionString, isPooled } = this.#target;
    if (!isPostgresUrl(connectionString)) throw notOurs();
    const { PostgresClient } = await import("./postgresClient.ts");
    const options = { application: this.#application, timeoutMs: POSTGRES_CONNECT_MS };
    this.#client = await this.#scrubbed(() => PostgresClient.connect(connectionString, options));
    if (!isPooled) await this.#prepareSession(this.#client);
  }

  /**
   * Runs `work` in one transaction and commits it; whatever `work` throws rolls back. A connection that the server
   * closed while it was idle is replaced. Throws DatabaseFault, TooManyRows, and what `work` throws.
   */
  async transaction<T>(options: TransactionOptions, work: (run: RunStatement) => Promise<T>): Promise<T> {
    return this.#scrubbed(async () => {
      const client = await this.#begin(options);
      try {
        const result = await work((text, values) => timed(client, text, values, options));
        await client.script("COMMIT");
        return result;
      } catch (fault) {
        // A connection that cannot roll back is of no use: the server does it when the connection ends.
        if (client.isOpen) await client.script("ROLLBACK").catch(() => client.interrupt());
        throw fault;
      }
    });
  }

  /** Ends what is under way, without waiting: the statement that runs is rejected and rolled back. */
  interrupt(): void {
    this.#client?.interrupt();
  }

  /** Resolves when the server has no connection of ours any more; it may have to finish a statement first. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.close(lingerMsOf(this.#timeoutMs));
  }

  async #begin(options: TransactionOptions): Promise<PostgresClient> {
    const wasOpen = this.#client?.isOpen === true;
    await this.open();
    try {
      return await this.#beginOn(options);
    } catch (fault) {
      const wentAway = wasOpen && fault instanceof DatabaseFault && fault.isLost;
      if (!wentAway) throw fault;
      this.interrupt();
      await this.open();
      return this.#beginOn(options);
    }
  }

  async #beginOn({ write, timeoutMs }: TransactionOptions): Promise<PostgresClient> {
    const client = this.#client;
    if (client === null) throw new Error("a transaction begins on an open connection");
    await client.script(
      `BEGIN${write ? "" : " READ ONLY"}; SET LOCAL statement_timeout = ${timeoutMs}; ` +
        `SET LOCAL idle_in_transaction_session_timeout = ${lingerMsOf(timeoutMs)}; ` +
        "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'",
    );
    return client;
  }

  /**
   * So that the server lets go soon of a client that is gone (14 and newer; older ones and other systems refuse, and
   * `lingerMsOf` bounds what they keep).
   */
  async #prepareSession(client: PostgresClient): Promise<void> {
    const idleMs = Math.max(this.#timeoutMs, POSTGRES_IDLE_LEAST_MS);
    await client.script(`SET idle_session_timeout = ${idleMs}`).catch(() => {});
    await client.script("SET client_connection_check_interval = 1000").catch(() => {});
  }

  /** No password in an error, whatever the server or the library says. */
  async #scrubbed<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (fault) {
      if (fault instanceof DatabaseFault)
        fault.message = withoutPassword(fault.message, this.#target.connectionString);
      throw fault;
    }
  }
}

/** The server says "canceled", in its own language: the clock says whether that was our limit. */
async function timed(
  client: PostgresClient,
  text: string,
  values: readonly SqlValue[],
  { timeoutMs, bounds }: TransactionOptions,
): Promise<StatementResult> {
  const startedMs = performance.now();
  // A server that does not answer at all.
  const timer = setTimeout(() => client.interrupt(), timeoutMs + POSTGRES_CONNECT_MS);
  try {
    return await client.statement(text, values, bounds);
  } catch (fault) {
    const isOver = performance.now() - startedMs >= timeoutMs * 0.95;
    if (!(fault instanceof DatabaseFault) || !isOver) throw fault;
    if (fault.sqlState !== "57014" && fault.sqlState !== null) throw fault;
    const { sqlState, isLost } = fault;
    throw new DatabaseFault(`the statement took longer than ${timeoutMs} ms`, {
      sqlState,
      isLost,
      timedOut: true,
    });
  } finally {
    clearTimeout(timer);
  }
}

function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text);
}

function notOurs(): DatabaseFault {
  // 28000: refused for good, like a wrong password.
  return new DatabaseFault("the connection string is not a postgres:// URL", {
    sqlState: "28000",
    isLost: true,
  });
}
