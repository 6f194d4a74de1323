/** The bytes of a request's body. That it breaks off, or is not well-formed, is the sender's fault. */

/** The body ended before it was whole. */
export class BodyBroken extends Error {
  constructor() {
    super("the body broke off, or is not well-formed");
    this.name = "BodyBroken";
  }
}

/** Yields the body as it comes. Throws BodyBroken; an error of the API's own (too large) passes. */
export async function* bodyChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let isWhole = false;
  try {
    for (;;) {
      const { value, done } = await nextOf(reader);
      if (done) {
        isWhole = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!isWhole) await reader.cancel().catch(() => {});
  }
}

/** The reader's next chunk. Throws as `bodyChunks` does. */
export async function nextOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (error) {
    throw error instanceof BodyBroken || isOwn(error) ? error : new BodyBroken();
  }
}

/** Errors with a name of their own were put into the stream by whoever bounds it. */
function isOwn(error: unknown): boolean {
  return error instanceof Error && error.name === "Refusal";
}
