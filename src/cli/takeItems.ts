/**
 * The first items of a stream, for `--limit`: blank lines are not items, as everywhere in Weir. Of CSV the header comes
 * first and is not an item, and a record goes on over the line ends in its quotes.
 */

const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const CR = 0x0d;

/** Passes bytes on up to the end of the `limit`-th item, and reads no further. */
export async function* takeItems(
  source: AsyncIterable<Uint8Array>,
  limit: number,
  isCsv = false,
): AsyncGenerator<Uint8Array> {
  let left = isCsv ? limit + 1 : limit;
  let isBlank = true;
  let isQuoted = false;
  for await (const chunk of source) {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      if (isCsv && byte === QUOTE) isQuoted = !isQuoted;
      if (byte > SPACE || (isCsv && byte !== NEWLINE && byte !== CR)) isBlank = false;
      if (byte !== NEWLINE || isBlank || isQuoted) continue;
      isBlank = true;
      left -= 1;
      if (left === 0) {
        yield chunk.subarray(0, i + 1);
        return;
      }
    }
    yield chunk;
  }
}
