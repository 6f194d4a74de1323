/**
 * Gives the memory of bytes that were read or sent back at once. Left to the garbage collector it waits for a full
 * collection, and a join that makes hardly any other garbage sees none: it held all it had read.
 *
 * Nothing may use the bytes, or another view of their buffer, after this.
 */
export function releaseBytes(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer && !bytes.buffer.detached) bytes.buffer.transfer(0);
}
