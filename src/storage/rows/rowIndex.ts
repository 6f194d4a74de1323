/** The index of a row from its bytes, without parsing it: rows begin with their index. */
import { assert } from "../../core/assert.ts";

const INDEX_KEY = new TextEncoder().encode('{"index":');

/** The index of the row that starts at byte `from`. Throws when no row does. */
export function indexOfRow(bytes: Uint8Array, from: number): number {
  assert(
    INDEX_KEY.every((byte, i) => bytes[from + i] === byte),
    "a row begins with its index",
  );
  let index = 0;
  for (let at = from + INDEX_KEY.byteLength; ; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return index;
    index = 10 * index + digit;
  }
}
