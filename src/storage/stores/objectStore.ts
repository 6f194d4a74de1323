/**
 * Where a user's objects lie: the Worker's own R2 bucket or any S3-compatible store. Listing and reading only.
 *
 * Keys come in ascending order of their UTF-8 bytes, which R2 and S3 promise, so "after this key" is a place in a
 * listing that stays valid whatever is added or removed.
 */
/** An object as listings tell it. */
export interface StoredObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Changes with the content. */
  readonly etag: string;
}

export interface ObjectStore {
  /** Objects below `prefix` after the key `after`, at most `limit`; `next`: the key to go on after, null at the end. */
  list(page: {
    readonly prefix: string;
    readonly after: string | null;
    readonly limit: number;
  }): Promise<{ readonly objects: readonly StoredObject[]; readonly next: string | null }>;
  /** The object's bytes; null when there is no such object. `signal` ends the reading. */
  get(key: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | null>;
}

/** The store refused or could not be reached. */
export class StoreFault extends Error {
  /** HTTP status; null where no answer came. */
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  constructor(message: string, status: number | null, retryAfterMs: number | null = null) {
    super(message);
    this.name = "StoreFault";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
  /** Asking again will not help: no such bucket, no right to it. */
  get isForGood(): boolean {
    return (
      this.status !== null && this.status >= 300 && this.status < 500 && ![408, 429].includes(this.status)
    );
  }
}
