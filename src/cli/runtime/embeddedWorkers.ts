/**
 * The Workers of the embedded runtime: the one that is deployed, and apart from it its lanes.
 *
 * Deployed they are one, because an isolate there is one of many. Here one thread makes all calls, and while its heap
 * is collected none leaves: what the lanes' isolate does not hold need not be marked (docs/design/runtime.md has the figures).
 */
import type { V4WorkerOptions } from "miniflare";
import type { Bundle } from "./bundle.ts";

/** The Worker with API, Runs and schedules. */
export const WEIR = "weir";
/** The consumer of its queues. */
export const LANES = "weir-lanes";

export interface EmbeddedWorkersOptions {
  readonly bindings: Record<string, string>;
  /** Where R2 lies; absent: as `wrangler.toml` says. */
  readonly bucket?: string;
  /** On which the first Worker listens. */
  readonly sockets?: NonNullable<V4WorkerOptions["unsafeDirectSockets"]>;
}

/** As Miniflare takes them. The first one's handler of the minute's tick is the one that it fires. */
export function embeddedWorkers(
  { modules, laneModules, options }: Bundle,
  { bindings, bucket, sockets = [] }: EmbeddedWorkersOptions,
): V4WorkerOptions[] {
  const { queueConsumers = {}, cronTriggers = [], durableObjects = {}, ...shared } = options;
  const common = { ...shared, bindings, ...(bucket === undefined ? {} : { r2Buckets: { BUCKET: bucket } }) };
  const objectsElsewhere = Object.fromEntries(
    Object.entries(durableObjects).map(([name, object]) => [name, { ...asObject(object), scriptName: WEIR }]),
  );
  return [
    { ...common, name: WEIR, modules, durableObjects, cronTriggers, unsafeDirectSockets: sockets },
    { ...common, name: LANES, modules: laneModules, durableObjects: objectsElsewhere, queueConsumers },
  ];
}

function asObject(object: string | { readonly className: string }) {
  return { className: typeof object === "string" ? object : object.className };
}
