/**
 * `npm run bench`: the figures of docs/benchmarks.md, measured with the real command against a target in another
 * process. Prints; asserts nothing; writes nothing unless told to.
 *
 *   --only NAME[,NAME]   some of the scenes: see `SCENES`
 *   --repeat 3           how often a short run is repeated; medians are printed, with least and most
 *   --minutes 25         scenes that would end later are not begun
 *   --rows TEXT          of the scene `limits` only the rows whose names contain it
 *   --write              puts what a scene printed into its section of docs/benchmarks.md, and its charts beside
 *   --peers              what people use today instead, installed from scripts/peers
 */
import { parseArgs } from "node:util";
import { calibrate } from "./bench/calibration.ts";
import { Journal } from "./bench/journal.ts";
import type { Scene, Stage } from "./bench/scene.ts";
import { cost } from "./bench/scenes/cost.ts";
import { main, minute, modes } from "./bench/scenes/fair.ts";
import { faults } from "./bench/scenes/faults.ts";
import { frozen } from "./bench/scenes/frozen.ts";
import { flat, large } from "./bench/scenes/large.ts";
import { limits } from "./bench/scenes/limits.ts";
import { frozenPeers, installPeers, peers } from "./bench/scenes/peers.ts";
import { profile } from "./bench/scenes/profile.ts";
import { referee } from "./bench/scenes/referee.ts";
import { scale } from "./bench/scenes/scale.ts";
import { shared } from "./bench/scenes/shared.ts";
import { lanes, throughput } from "./bench/scenes/throughput.ts";

const SCENES: readonly Scene[] = [
  throughput,
  profile,
  large,
  cost,
  main,
  minute,
  frozen,
  faults,
  referee,
  lanes,
  modes,
  limits,
  shared,
  scale,
  flat,
];
/** With `--peers`, and nothing else then. */
const PEER_SCENES: readonly Scene[] = [frozenPeers, peers];

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    repeat: { type: "string", default: "3" },
    rows: { type: "string" },
    minutes: { type: "string", default: "25" },
    write: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
  },
});

const named = values.only?.split(",") ?? null;
const all = values.peers ? PEER_SCENES : SCENES;
const scenes = named === null ? all : all.filter(({ name }) => named.includes(name));
const unknown = (named ?? []).filter((name) => !all.some((scene) => scene.name === name));
if (unknown.length > 0) {
  console.error(
    `--only: no scene ${unknown.join(", ")}; there are ${all.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}
if (values.peers && !installPeers()) {
  console.error("--peers: they could not be installed (npm ci in scripts/peers)");
  process.exit(1);
}

const stage: Stage = {
  repeat: Number(values.repeat),
  untilMs: Date.now() + Number(values.minutes) * 60_000,
  ...(values.rows !== undefined && { rows: values.rows }),
  seen: {},
};
for (const scene of scenes) {
  if (Date.now() + scene.minutes * 60_000 > stage.untilMs && named === null) {
    console.log(`\n${scene.name}: not run, ${values.minutes} minutes are over`);
    continue;
  }
  await play(scene);
}

/** A scene that fails is said and leaves its section as it was: the others still run. */
async function play(scene: Scene): Promise<void> {
  console.log(`\n## ${scene.name}\n`);
  const journal = new Journal(scene.name, values.write);
  try {
    if (scene.isSimulated !== true) await calibrate(journal);
    await scene.play(journal, stage);
    journal.close();
  } catch (error) {
    process.exitCode = 1;
    console.error(
      `${scene.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}
