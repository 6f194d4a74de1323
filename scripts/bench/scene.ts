/** A scene of the benchmark: one question put to the real command (or the simulator), answered in one section. */
import type { Journal } from "./journal.ts";
import type { Measured } from "./measuredRun.ts";

export interface Scene {
  readonly name: string;
  /** About how long it takes with the default repetitions, minutes. */
  readonly minutes: number;
  /** How busy the machine is does not matter. */
  readonly isSimulated?: true;
  play(journal: Journal, stage: Stage): Promise<void>;
}

/** What the scenes of one benchmark share. */
export interface Stage {
  /** How often a short run is repeated. */
  readonly repeat: number;
  /** Wall-clock instant at which the benchmark has to be over. */
  readonly untilMs: number;
  /** Only rows whose names contain this are played; absent: all. */
  readonly rows?: string;
  /** What earlier scenes measured and later ones compare with. */
  readonly seen: { main?: Measured; minute?: Measured; large?: Measured };
}
