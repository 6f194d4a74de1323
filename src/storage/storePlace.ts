/**
 * Where a spec says a user's objects are: a bucket bound to the Worker, or an S3-compatible store by its address and
 * the names of its secrets. Outside text becomes a place, and a place a store.
 */
import { z } from "zod";
import { line } from "../spec/fields.ts";
import type { ObjectStore } from "./objectStore.ts";
import { R2Store } from "./r2Store.ts";
import { S3Store } from "./s3Store.ts";

const SECRET = "must be the name of a secret, as in S3_SECRET for the variable WEIR_SECRET_S3_SECRET";
const secretName = z.string({ error: SECRET }).regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, { error: SECRET });
const ENDPOINT =
  'must be the store\'s http(s) address without a path, as in "https://s3.eu-central-1.amazonaws.com"';
const BINDING = "must be the name of an R2 binding of the Worker, as in EXPORTS";

/** An S3-compatible store. Its credentials are named, never written out. */
export const storeSchema = z.strictObject({
  endpoint: z.string({ error: ENDPOINT }).refine(isOrigin, { error: ENDPOINT }),
  bucket: line(255)
    .min(1)
    .regex(/^[^/?#\\]+$/, { error: "must be the name of a bucket, without a slash" }),
  /** What the signature names; most stores other than AWS take any. */
  region: line(64).min(1).default("auto"),
  accessKeyId: secretName,
  secretAccessKey: secretName,
});
export type StoreSettings = z.infer<typeof storeSchema>;

/** Where objects are: `store`, or without one the R2 bucket bound under the name `binding`. */
export const placeFields = {
  binding: z
    .string({ error: BINDING })
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, { error: BINDING })
    .default("BUCKET"),
  store: storeSchema.nullable().default(null),
};
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

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return url.username === "" && url.password === "" && url.pathname === "/" && url.search + url.hash === "";
}
