/**
 * What workerd itself writes about faults that edge tests provoke: it reports a stream that breaks off as an uncaught
 * exception, although whoever reads the stream gets the fault. The Vitest plugin prints these lines from Vitest's own
 * process, each in one write, and has no option for them.
 */
const EXPECTED = [
  // A stream of rows that is cut off where a part is missing (test/edge/apiRuns.test.ts).
  /^uncaught exception; .*\bpart runs\/\S+ cannot be read: it is missing/s,
];

/** From now on this process writes all lines but those. workerd's come on either stream. */
export function silenceWorkerd(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    stream.write = ((chunk: string | Uint8Array, ...rest: never[]) => {
      const isExpected = typeof chunk === "string" && EXPECTED.some((pattern) => pattern.test(chunk));
      return isExpected || write(chunk, ...rest);
    }) as typeof stream.write;
  }
}
