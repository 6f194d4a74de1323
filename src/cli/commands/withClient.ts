/** What commands about things with a place in the API share: the connection, the list as a whole, and what is shown. */
import type { Client } from "../client.ts";
import { type Connection, connect } from "../connection.ts";
import { EXIT } from "../exit.ts";
import type { Flags } from "../flags/arguments.ts";
import { printJson } from "../rows/output.ts";
import { print } from "../stdout.ts";

const PAGE = 100;

/** Acts on a connection and closes it. `mayBegin`: a state folder that nobody has used yet is made. */
export async function within(
  flags: Flags,
  command: string,
  mayBegin: boolean,
  act: (connection: Connection) => Promise<void>,
): Promise<number> {
  const connection = await connect(flags, command, mayBegin);
  try {
    await act(connection);
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

/** The document with --json, else the lines. */
export function show(flags: Flags, document: unknown, lines: readonly string[]): void {
  if (flags.has("json")) printJson(document);
  else print(lines.map((line) => `${line}\n`).join(""));
}

/** Everything that the pages of `/v1/<key>` hold. */
export async function everyPage<View>(
  client: Client,
  key: "schedules" | "targets",
): Promise<readonly View[]> {
  const views: View[] = [];
  let cursor: string | null = null;
  do {
    const query = { limit: PAGE, ...(cursor === null ? {} : { cursor }) };
    const page: { readonly [K in typeof key]?: readonly View[] } & { readonly cursor: string | null } =
      await client.ask("GET", `/v1/${key}`, { query });
    views.push(...(page[key] ?? []));
    cursor = page.cursor;
  } while (cursor !== null);
  return views;
}
