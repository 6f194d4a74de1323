/** An R2 bucket of the Worker as a store of a user's objects. */
import { answered } from "../bucket/answered.ts";
import type { ObjectStore } from "./objectStore.ts";

export class R2Store implements ObjectStore {
  readonly #bucket: R2Bucket;
  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  async list({ prefix, after, limit }: Parameters<ObjectStore["list"]>[0]) {
    const from = after === null ? {} : { startAfter: after };
    const page = await answered(() => this.#bucket.list({ prefix, limit, ...from }));
    const objects = page.objects.map(({ key, size, etag }) => ({ key, size, etag }));
    return { objects, next: page.truncated ? (objects.at(-1)?.key ?? null) : null };
  }

  async get(key: string): Promise<ReadableStream<Uint8Array> | null> {
    return (await answered(() => this.#bucket.get(key)))?.body ?? null;
  }
}
