/**
 * Calls to the bucket that are never answered: locally a disk without room can leave one open for ever. After a while
 * that is a refusal like any other.
 */
import { STORAGE_ANSWER_MS } from "../../core/limits.ts";

/** Storage did not answer; what became of the call nobody knows. */
export class StorageSilent extends Error {
  constructor(waitedMs: number) {
    super(
      `object storage did not answer for ${waitedMs / 1000} s (on a machine of your own: is its disk full?)`,
    );
    this.name = "StorageSilent";
  }
}

/** What `call` gives, or StorageSilent after `withinMs`. */
export async function answered<T>(call: () => Promise<T>, withinMs = STORAGE_ANSWER_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StorageSilent(withinMs)), withinMs);
  });
  try {
    return await Promise.race([call(), silence]);
  } finally {
    clearTimeout(timer);
  }
}
