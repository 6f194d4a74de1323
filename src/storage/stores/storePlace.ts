/**
 * Where a spec says a user's objects are: a bucket bound to the Worker, or an S3-compatible store by its address and
 * the names of its secrets. A place becomes a store.
 */

import type { StoreSettings } from "../../schema/storePlaceSchema.ts";
import type { ObjectStore } from "./objectStore.ts";
import { R2Store } from "./r2Store.ts";
import { S3Store } from "./s3Store.ts";

/** Where objects are: `store`, or without one the R2 bucket bound under the name `binding`. */
export interface ObjectPlace {
  readonly binding: string;
  readonly store: StoreSettings | null;
}

/** Names of the secrets that reaching the place needs. */
export function secretsOfPlace({ store }: ObjectPlace): string[] {
  return store === null ? [] : [store.accessKeyId, store.secretAccessKey];
}

/** Why a store cannot be opened, as one sentence. */
export interface CannotReach {
  readonly kind: "unreachable";
  readonly message: string;
}

/** The store at a place; `secret` gives a secret's value, null when it is not set. */
export function openStore(
  place: ObjectPlace,
  bindings: object,
  secret: (name: string) => string | null,
): ObjectStore | CannotReach {
  const { store, binding } = place;
  if (store === null) {
    const bucket = (bindings as Readonly<Record<string, unknown>>)[binding];
    if (isBucket(bucket)) return new R2Store(bucket);
    return { kind: "unreachable", message: `there is no R2 binding named ${binding}` };
  }
  const [accessKeyId, secretAccessKey] = [secret(store.accessKeyId), secret(store.secretAccessKey)];
  if (accessKeyId === null || secretAccessKey === null) {
    const name = accessKeyId === null ? store.accessKeyId : store.secretAccessKey;
    return { kind: "unreachable", message: `secret ${name} is missing: set WEIR_SECRET_${name}` };
  }
  return new S3Store({ ...store, accessKeyId, secretAccessKey });
}

function isBucket(binding: unknown): binding is R2Bucket {
  return (
    typeof binding === "object" && binding !== null && "list" in binding && "createMultipartUpload" in binding
  );
}
