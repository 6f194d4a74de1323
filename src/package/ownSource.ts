/**
 * Sources of a project's own: a list that knows its length and can be read from any place.
 *
 * Chunks are ranges of the list. A chunk is read again when its lane dies, and by retries of the run, so the same index
 * must be the same item for as long as the run and its retries live: what changes meanwhile has to be pinned (a
 * timestamp, a snapshot, a version) in the settings that `pin` returns.
 */
import type { Json } from "../core/spec.ts";
import { indexAt, planContiguous } from "../sources/contiguous.ts";
import { type Source, SourceError } from "../sources/source.ts";
import { secretValue } from "../tasks/secrets.ts";
import type { SettingsMaker } from "./ownTask.ts";

export interface OwnSourceContext {
  /** The Worker's bindings, variables and secrets. */
  readonly env: { readonly [binding: string]: unknown };
  /** The value of `WEIR_SECRET_<name>`. Throws where there is none, which refuses the run. */
  secret(name: string): string;
}

export interface OwnSource<Settings> {
  /** What a spec's `source` may say besides `kind`: gets zod. Left out: nothing. */
  readonly settings?: SettingsMaker<Settings>;
  /** Names of the secrets that are used, so that a missing one is reported before the run. */
  secrets?(settings: Settings): readonly string[];
  /** Settings to keep for the run, once, when it is made: with what pins the list. Left out: as they are. */
  pin?(settings: Settings, context: OwnSourceContext): Settings | Promise<Settings>;
  /** How many items there are. */
  count(settings: Settings, context: OwnSourceContext): number | Promise<number>;
  /**
   * The items from index `from` (0 is the first) on, in order. It is asked for no more than it needs; `most` says how
   * many that will be at most.
   */
  read(
    settings: Settings,
    range: { readonly from: number; readonly most: number },
    context: OwnSourceContext,
  ): Iterable<Json> | AsyncIterable<Json>;
}

/** A source, with the type of its settings found out. */
export function defineSource<Settings = Record<never, never>>(
  source: OwnSource<Settings>,
): OwnSource<Settings> {
  return source;
}

async function firstOf(items: AsyncIterable<Json>): Promise<Json> {
  for await (const item of items) return item;
  return null;
}

/** The source as Weir takes it. What `pin` returned is stored in the run as it is, so that it must be JSON. */
export function sourceOf<Settings extends object>(
  kind: string,
  own: OwnSource<Settings>,
): Source<Settings & { readonly items?: number }> {
  const contextOf = (env: object): OwnSourceContext => ({
    env: env as OwnSourceContext["env"],
    secret(name) {
      const value = secretValue(env as Parameters<typeof secretValue>[0], name);
      if (value === null) throw new SourceError("source", `the secret ${name} is missing`);
      return value;
    },
  });
  async function* itemsFrom(settings: Settings, from: number, most: number, env: object) {
    yield* own.read(settings, { from, most }, contextOf(env));
  }
  return {
    kind,
    ...(own.secrets !== undefined && { secrets: (settings) => own.secrets?.(settings) ?? [] }),
    async pin(given, { env }) {
      const context = contextOf(env);
      const settings = (await own.pin?.(given, context)) ?? given;
      const items = await own.count(settings, context);
      if (!Number.isSafeInteger(items) || items < 0)
        throw new SourceError(
          "source",
          `the source ${kind} counts ${items} items; accepted is a whole number`,
        );
      if (items === 0) throw new SourceError("source", `the source ${kind} has no items`);
      return {
        settings: { ...settings, items },
        items,
        first: await firstOf(itemsFrom(settings, 0, 1, env)),
      };
    },
    async plan(settings, chunkSize, cursor) {
      return planContiguous(settings.items ?? 0, chunkSize, cursor, () => "");
    },
    async *read(settings, chunk, from, { env }) {
      for (let ordinal = from.ordinal; ordinal < chunk.count; ) {
        const start = indexAt(chunk, ordinal);
        const most = chunk.indexes === undefined ? chunk.count - ordinal : 1;
        let read = 0;
        for await (const value of itemsFrom(settings, start, most, env)) {
          yield { index: start + read, ordinal: ordinal + read, position: start + read, value };
          read += 1;
          if (read === most) break;
        }
        if (read < most) return;
        ordinal += read;
      }
    },
  };
}
