/**
 * The Target object's RPC surface. Every method is safe to repeat. Expected refusals are values; a thrown error is a
 * platform fault.
 */
import type { PermitsAnswer, PermitsAsk, TargetAnswer, TargetAsk } from "../core/target/targetProtocol.ts";
import type { TargetSettings } from "../core/target/targetSettings.ts";
import type { TargetView } from "../core/target/targetView.ts";
import type { Control } from "./run.ts";

export interface Target {
  /** Makes it, or gives it these settings. */
  put(name: string, settings: TargetSettings): Promise<TargetView>;
  /** Null: there is none. */
  settings(): Promise<TargetSettings | null>;
  view(): Promise<TargetView | null>;
  /** A run is about to be made that names it. A conflict where it has as many as it can have. */
  attach(run: string): Promise<Control<TargetSettings>>;
  /** These runs have ended, or are not there any more. */
  detach(runs: readonly string[]): Promise<void>;
  /** A run's share. */
  ask(ask: TargetAsk): Promise<TargetAnswer>;
  /** Permits for a program that is not Weir. */
  permits(ask: PermitsAsk): Promise<Control<PermitsAnswer>>;
  /** A conflict names the runs that use it. */
  destroy(): Promise<Control<null>>;
}
