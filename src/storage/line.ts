/**
 * What a line is, for the scanner that counts lines and the reader that hands them out: they must agree on every
 * byte, or indexes would shift.
 *
 * A line ends with LF or with the input. A BOM at the very start and CRs at the end are not part of it.
 * A line of nothing but spaces, tabs and CRs is blank: it is not an item.
 */

export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const TAB = 0x09;

/** Length in bytes of a BOM at the start of `bytes`, 0 without one. */
export function bomBytes(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** True when `bytes[from…to)`, which holds no LF, is not an item. */
export function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i];
    if (byte !== SPACE && byte !== TAB && byte !== CR) return false;
  }
  return true;
}

/** The end of the line's text: before the CRs that end it. */
export function textEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && bytes[end - 1] === CR) end--;
  return end;
}
