/**
 * Source `objects`: the objects below a prefix, in the order of their keys, in an R2 bucket of the Worker or in any
 * S3-compatible store. An item is `{key, size, etag}`; what the object holds is for the task to read.
 */
import type { Json } from "../core/spec.ts";
import { type ObjectStore, type StoredObject, StoreFault } from "../storage/stores/objectStore.ts";
import { openStore, secretsOfPlace } from "../storage/stores/storePlace.ts";
import { secretValue } from "../tasks/secrets.ts";
import { countListed, type ListEntries, planListed, readListed } from "./listing.ts";
import type { ObjectsSettings } from "./schemas.ts";
import { type Source, type SourceContext, SourceError } from "./source.ts";

export const objectsSource: Source<ObjectsSettings> = {
  kind: "objects",
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
