/** The bindings of the Worker, as `wrangler.toml` declares them. */
import type { QueueMessage } from "../core/protocol.ts";

export interface Env {
  readonly RUN: DurableObjectNamespace;
  readonly SCHEDULE: DurableObjectNamespace;
  readonly TARGET: DurableObjectNamespace;
  readonly BUCKET: R2Bucket;
  readonly DB: D1Database;
  readonly LANES_0: Queue<QueueMessage>;
  readonly LANES_1: Queue<QueueMessage>;
  readonly LANES_2: Queue<QueueMessage>;
  readonly LANES_3: Queue<QueueMessage>;
  /** Browser Rendering, for pages that only a browser can show; absent: they are said to need one. */
  readonly BROWSER?: Browser;
  /**
   * Set by the embedding process: the network itself. The local runtime leads the global `fetch` through a Worker of
   * its own, which takes longer than the call itself. Absent when deployed.
   */
  readonly NETWORK?: Fetcher;
  /** Set by the embedding process: looks why a call had no answer (`tasks/calls/reach.ts`). Absent when deployed. */
  readonly REACH?: Fetcher;
  /** Bearer token of the API: 32 characters or more, or everything but /healthz answers 503. */
  readonly WEIR_TOKEN?: string;
  /**
   * Set by the embedding process (`weir` on a machine of one's own): strictly increasing with every start.
   * Absent when deployed. A run is worked on only in the generation that drives it.
   */
  readonly WEIR_GENERATION?: string;
  /** Former generations, separated by spaces, whose runtime hung or died by itself: their runs go on in this one. */
  readonly WEIR_SUCCEEDS?: string;
  /** Set to "driven" by an embedding process that stays (`weir dev`): only there schedules fire. */
  readonly WEIR_SCHEDULES?: string;
  /** Invocations among which an embedded run divides its lanes, for lanes in several processes; absent: 1. */
  readonly WEIR_INVOCATIONS?: string;
  /** "yes": none of its items was to blame for the end of the last one. */
  readonly WEIR_BLAMELESS?: string;
  /** Secrets: `WEIR_SECRET_<NAME>` and `WEIR_SECRET_<NAME>_HOSTS`. */
  readonly [secret: `WEIR_SECRET_${string}`]: string | undefined;
}

/** The part of the binding of Browser Rendering that is used. */
export interface Browser {
  quickAction(
    action: "content",
    options: {
      readonly url: string;
      readonly userAgent?: string;
      readonly cacheTTL: number;
      readonly gotoOptions: { readonly timeout: number; readonly waitUntil: "networkidle2" };
      readonly rejectResourceTypes: ("image" | "media" | "font")[];
    },
  ): Promise<Response>;
}
