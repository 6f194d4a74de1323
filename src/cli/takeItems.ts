/** The first items of a stream of lines, for `--limit`: blank lines are no items, as everywhere in Weir. */

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** Passes bytes on up to the end of the `limit`-th line that is not blank, and reads no further. */
export async function* takeItems(
  source: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array> {
  let items = 0;
  let isBlank = true;
  for await (const chunk of source) {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      if (byte > SPACE) isBlank = false;
      if (byte !== NEWLINE || isBlank) continue;
      isBlank = true;
      items += 1;
      if (items === limit) {
        yield chunk.subarray(0, i + 1);
        return;
      }
    }
    yield chunk;
  }
}
