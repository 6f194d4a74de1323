/**
 * A real PostgreSQL server for tests and measurements: on a free port of 127.0.0.1, in a folder of its own that is
 * removed with it. Also runs as root, wherever the project lies.
 */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startCluster } from "./postgresCluster.ts";

const PASSWORD = "a-password-nobody-else-has";
/** What the server logs when a role wants more connections than it may have. */
const REFUSED = /too many connections for role/g;

export interface PostgresServer {
  /** Of the role that runs log in as; it holds the password, which must turn up in no row, error or file. */
  readonly connectionString: string;
  readonly password: string;
  /** One statement of the administrator; rows as the library gives them. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Connections the server refused the role, by its log: each would have been one too many. */
  refused(): number;
  close(): Promise<void>;
}

/** Starts a server whose role `lanes` may have `connections` at once: it refuses one more, for however short a time. */
export async function startPostgres(options: { readonly connections: number }): Promise<PostgresServer> {
  const port = await freePort();
  let refused = 0;
  const cluster = await startCluster({
    port,
    user: "admin",
    password: PASSWORD,
    settings: {
      max_connections: options.connections + 20,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      // Nothing here has to survive a power cut.
      fsync: "off",
    },
    onLog: (text) => {
      refused += text.match(REFUSED)?.length ?? 0;
    },
  });
  const at = `127.0.0.1:${port}/postgres`;
  const admin = new pg.Client({ connectionString: `postgres://admin:${PASSWORD}@${at}` });
  await admin.connect();
  await admin.query(`CREATE ROLE lanes LOGIN PASSWORD '${PASSWORD}' CONNECTION LIMIT ${options.connections}`);
  await admin.query("GRANT pg_read_all_data, pg_write_all_data TO lanes");
  let last: Promise<unknown> = Promise.resolve();
  return {
    connectionString: `postgres://lanes:${PASSWORD}@${at}`,
    password: PASSWORD,
    query: async (text, values = []) => {
      // One after the other: who watches asks at any time, and the client takes one statement.
      const asked = last.then(() => admin.query(text, [...values]));
      last = asked.catch(() => {});
      return (await asked).rows;
    },
    refused: () => refused,
    async close() {
      await admin.end();
      await cluster.stop();
    },
  };
}

/** What a look at `pg_stat_activity` every 50 ms saw of the connections that are not the administrator's. */
export interface ConnectionWatch {
  readonly looks: number;
  /** The most at one look. */
  readonly most: number;
  /** Different statements seen. */
  readonly statements: number;
  stop(): Promise<ConnectionWatch>;
}

const LOOK_MS = 50;

export function watchConnections(server: PostgresServer): ConnectionWatch {
  const seen = new Set<string>();
  let stopping = false;
  const watch = { looks: 0, most: 0, statements: 0, stop: async () => watch };
  const watching = (async () => {
    while (!stopping) {
      const rows = await server.query(
        "SELECT pid, query_start::text AS start FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
      );
      for (const { pid, start } of rows) seen.add(`${pid} ${start}`);
      watch.looks += 1;
      watch.most = Math.max(watch.most, rows.length);
      watch.statements = seen.size;
      await sleep(LOOK_MS);
    }
  })();
  watch.stop = async () => {
    stopping = true;
    await watching;
    return watch;
  };
  return watch;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
