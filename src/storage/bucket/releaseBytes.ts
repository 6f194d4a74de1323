/**
 * Gives the memory of bytes that were read or sent back at once, not at the next full collection, which a join hardly
 * causes: in one of 300,000 rows workerd grew by 33 MB and not by 63.
 *
 * Nothing may use the bytes, or another view of their buffer, after this.
 */
export function releaseBytes(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer && !bytes.buffer.detached) bytes.buffer.transfer(0);
}
