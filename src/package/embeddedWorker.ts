/**
 * The Worker as the `weir` command runs it: the same, and an entrance through which the command keeps its database's
 * schema. Through Miniflare's proxies the first migrations took 0.4 s of every first start.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { requireToken } from "../api/auth.ts";
import type { Env } from "../objects/env.ts";
import { applyMigrations, type Migration } from "../storage/index/migrate.ts";

export {
  createWeirWorker as createEmbeddedWorker,
  RunObject,
  ScheduleObject,
  TargetObject,
} from "./weirWorker.ts";

/** A request with the API's token and the migrations as JSON; 204 when the database is up to date. */
export class Schema extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    const header = request.headers.get("authorization") ?? undefined;
    await requireToken(header, this.env.WEIR_TOKEN ?? "");
    await applyMigrations(this.env.DB, (await request.json()) as readonly Migration[]);
    return new Response(null, { status: 204 });
  }
}
