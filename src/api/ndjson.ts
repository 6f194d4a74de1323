/** Answers of one JSON row a line. A stream that fails is aborted by the platform, never ended as if complete. */

/** A 200 with `body` as NDJSON. */
export function ndjson(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

/** Lines as a stream of bytes, asked for as the reader takes them; each text holds whole lines. */
export function streamOfLines(texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await texts.next();
      if (next.done) controller.close();
      else controller.enqueue(encoder.encode(next.value));
    },
    async cancel() {
      await texts.return(undefined);
    },
  });
}
