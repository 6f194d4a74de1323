/**
 * Source `objects`: the objects below a prefix, in the order of their keys, in an R2 bucket of the Worker or in any
 * S3-compatible store. An item is `{key, size, etag}`; what the object holds is for the task to read.
 */
import { z } from "zod";
import type { Json } from "../core/spec.ts";
import { line } from "../spec/fields.ts";
import { type ObjectStore, type StoredObject, StoreFault } from "../storage/objectStore.ts";
import { openStore, placeFields, secretsOfPlace } from "../storage/storePlace.ts";
import { secretValue } from "../tasks/secrets.ts";
import { countListed, type ListEntries, planListed, readListed } from "./listing.ts";
import { type Source, type SourceContext, SourceError } from "./source.ts";

/** Keys that S3 and R2 accept have at most 1,024 bytes. */
const MAX_PREFIX_CHARS = 1024;
/** What Weir itself keeps in the bucket BUCKET. */
const OWN_PREFIXES = ["runs/", "inputs/"];

export const objectsSchema = z
  .strictObject({ kind: z.literal("objects"), prefix: line(MAX_PREFIX_CHARS), ...placeFields })
  .refine(({ prefix, binding, store }) => store !== null || binding !== "BUCKET" || !isOwn(prefix), {
    path: ["prefix"],
    error: 'must not take in what Weir keeps in its own bucket (runs/ and inputs/), as in "exports/2026/"',
  });

export type ObjectsSettings = z.infer<typeof objectsSchema>;

export const objectsSource: Source<ObjectsSettings> = {
  kind: "objects",
  schema: objectsSchema,
  secrets: secretsOfPlace,
  async pin(settings, context) {
    const { entries } = await lister(settings, context)(null, 1);
    const [first] = entries;
    return { settings, items: first === undefined ? 0 : null, first: first ?? null };
  },
  plan: (settings, chunkSize, cursor, context) =>
    planListed(chunkSize, cursor, context, lister(settings, context)),
  read: (_, chunk, from, context) => readListed(chunk, from.ordinal, context),
  count: (settings, context) => countListed(context, lister(settings, context)),
};

/** A prefix that holds, or lies in, what is Weir's own. */
function isOwn(prefix: string): boolean {
  return OWN_PREFIXES.some((own) => own.startsWith(prefix) || prefix.startsWith(own));
}

function lister(settings: ObjectsSettings, { env, count }: SourceContext): ListEntries {
  const store = openStore(settings, env, (name) => secretValue(env, name));
  if ("kind" in store)
    throw new SourceError(settings.store === null ? "source.binding" : "source.store", store.message);
  return async (after, limit) => {
    count("r2ClassA", settings.store === null ? 1 : 0);
    const { objects, next } = await listed(store, { prefix: settings.prefix, after, limit });
    return { entries: objects.filter(isNoFolder).map(entryOf), next };
  };
}

async function listed(store: ObjectStore, page: Parameters<ObjectStore["list"]>[0]) {
  try {
    return await store.list(page);
  } catch (fault) {
    if (fault instanceof StoreFault && fault.isForGood) throw new SourceError("source.store", fault.message);
    throw fault;
  }
}

/** Consoles make empty objects that stand for folders. */
function isNoFolder({ key, size }: StoredObject): boolean {
  return size > 0 || !key.endsWith("/");
}

function entryOf({ key, size, etag }: StoredObject): Json {
  return { key, size, etag };
}
