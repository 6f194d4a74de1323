/** How many items a local stream holds, for commands that look at a file without sending it. */
import { CsvMachine } from "../core/csv.ts";

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** Lines that are not blank. */
export async function countLines(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let items = 0;
  let isBlank = true;
  for await (const chunk of bytes) {
    for (const byte of chunk) {
      if (byte > SPACE) isBlank = false;
      if (byte !== NEWLINE || isBlank) continue;
      items += 1;
      isBlank = true;
    }
  }
  return items + (isBlank ? 0 : 1);
}

/** Records of CSV below the header. Whether they are well formed is for the server to say. */
export async function countRecords(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  // Which delimiter it is makes no difference to where a record ends.
  const machine = new CsvMachine(",");
  let records = 0;
  for await (const chunk of bytes) {
    for (const byte of chunk) if (machine.take(byte)?.kind === "record") records += 1;
  }
  if (machine.end().kind === "record") records += 1;
  return Math.max(0, records - 1);
}
