/**
 * One connection to a PostgreSQL server: the client library over our socket.
 *
 * Loaded on demand (`postgresConnection.ts`): a Worker that talks to no database never evaluates it. Values arrive as
 * the text that the server sent; what they mean is `postgresValues.ts`' matter.
 */
import pg from "pg";
import { DatabaseFault, TooManyRows } from "./postgresFaults.ts";
import { PostgresSocket } from "./postgresSocket.ts";

export type SqlValue = string | number | boolean | null;

export interface StatementResult {
  readonly columns: readonly { readonly name: string; readonly typeOid: number }[];
  /** Values as text, in the order of `columns`. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** Rows returned, or touched by a statement that writes. */
  readonly rowCount: number;
}

/** What one statement may return. */
export interface RowBounds {
  readonly maxRows: number;
  /** Characters of all values together. */
  readonly maxChars: number;
}

export class PostgresClient {
  readonly #client: pg.Client;
  readonly #socket: PostgresSocket;
  #fault: Error | null = null;

  /** Throws DatabaseFault when there is no connection within `timeoutMs`; then nothing is left open. */
  static async connect(
    connectionString: string,
    options: { readonly application: string; readonly timeoutMs: number },
  ): Promise<PostgresClient> {
    const client = new PostgresClient(connectionString, options.application);
    // First goodbye, so that the server lets go of a connection that it was slow to make; then without its word.
    const late = setTimeout(() => client.#socket.end(), options.timeoutMs);
    const lost = setTimeout(() => client.#socket.abandon(), 2 * options.timeoutMs);
    try {
      await client.#client.connect();
      return client;
    } catch (fault) {
      await client.close(options.timeoutMs);
      throw faultOf(fault);
    } finally {
      clearTimeout(late);
      clearTimeout(lost);
    }
  }

  private constructor(connectionString: string, application: string) {
    const made: { socket?: PostgresSocket } = {};
    const config = {
      connectionString,
      application_name: application,
      types: { getTypeParser: () => (text: string) => text },
      // The library asks for a stream of Node's and uses of it what PostgresSocket has.
      stream: ({ ssl }: { readonly ssl?: unknown }) => {
        made.socket = new PostgresSocket(ssl !== undefined && ssl !== false);
        return made.socket;
      },
    };
    this.#client = new pg.Client(config as unknown as pg.ClientConfig);
    if (made.socket === undefined) throw new Error("the client made no socket");
    this.#socket = made.socket;
    // Without a listener a connection that breaks while idle would end the isolate.
    this.#client.on("error", (fault) => {
      this.#fault ??= fault;
    });
  }

  get isOpen(): boolean {
    return this.#fault === null && this.#socket.writable;
  }

  /** Several statements without values; their rows are dropped. Throws DatabaseFault. */
  async script(text: string): Promise<void> {
    await this.#client.query(text).catch((fault: unknown) => {
      throw faultOf(fault);
    });
  }

  /** Exactly one statement. Throws DatabaseFault, and TooManyRows after which the connection is of no use. */
  statement(text: string, values: readonly SqlValue[], bounds: RowBounds): Promise<StatementResult> {
    return new Promise((resolve, reject) => {
      const rows: (string | null)[][] = [];
      let chars = 0;
      const config = { text, values: [...values], rowMode: "array", queryMode: "extended" };
      const query = new pg.Query<(string | null)[], SqlValue[]>(config);
      query.on("row", (row) => {
        for (const value of row) chars += value?.length ?? 0;
        rows.push(row);
        if (rows.length <= bounds.maxRows && chars <= bounds.maxChars) return;
        rows.length = 0;
        reject(new TooManyRows(tooMany(bounds)));
        this.#socket.end();
      });
      query.on("error", (fault: unknown) => reject(faultOf(fault)));
      query.on("end", ({ fields, rowCount }) => {
        const columns = fields.map(({ name, dataTypeID }) => ({ name, typeOid: dataTypeID }));
        resolve({ columns, rows, rowCount: rowCount ?? 0 });
      });
      this.#client.query(query);
    });
  }

  /**
   * Says goodbye and resolves when the server has closed its side, which it does when its backend is gone; after
   * `withinMs` without its word the socket is given up.
   */
  async close(withinMs: number): Promise<void> {
    if (this.#socket.isClosed) return;
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    const timer = setTimeout(() => this.#socket.abandon(), withinMs);
    void this.#client.end().catch(() => {});
    this.#socket.end();
    await closed;
    clearTimeout(timer);
  }

  /** Ends whatever is under way: it is rejected, and the server stops when it notices. */
  interrupt(): void {
    this.#socket.end();
  }
}

function tooMany({ maxRows, maxChars }: RowBounds): string {
  return `the statement returned more than ${maxRows} rows or ${maxChars} characters: aggregate, or take smaller ranges`;
}

function faultOf(fault: unknown): Error {
  if (fault instanceof pg.DatabaseError) {
    const { code = null, severity, message } = fault;
    const isLost = severity === "FATAL" || severity === "PANIC";
    return new DatabaseFault(code === null ? message : `${message} (SQLSTATE ${code})`, {
      sqlState: code,
      isLost,
    });
  }
  const message = fault instanceof Error ? fault.message : String(fault);
  return new DatabaseFault(message, { sqlState: null, isLost: true });
}
