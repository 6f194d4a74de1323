/**
 * Ctrl-C and its kin. The first asks to pause, the second means "at once".
 *
 * On an older Node the command is two processes (`weir.js`): a terminal signals both, `kill` only the one it names,
 * and the outer one passes on what it gets. So one press may arrive twice, once by each way: an arrival by one way
 * is paired with the next one by the other, if that comes soon.
 */
import { onPassedOn } from "./outerProcess.ts";

export interface Interrupts {
  /** `press` is called with 1 for the first, 2 for the second … Replaces the former listener. */
  listen(press: (times: number) => void): void;
  close(): void;
}

type Way = "direct" | "passed-on";

/** The two arrivals of one press lie milliseconds apart; two presses of a key hardly less than this. */
const PAIR_MS = 100;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Presses out of arrivals: true for an arrival that is a press of its own. Exported for its test. */
export function createPairing(): (way: Way, nowMs: number) => boolean {
  let unpaired: { readonly way: Way; readonly atMs: number }[] = [];
  return (way, nowMs) => {
    unpaired = unpaired.filter(({ atMs }) => nowMs - atMs < PAIR_MS);
    const other = unpaired.findIndex((arrival) => arrival.way !== way);
    if (other >= 0) {
      unpaired.splice(other, 1);
      return false;
    }
    unpaired.push({ way, atMs: nowMs });
    return true;
  };
}

/** Takes the signals over from here on; a press before `listen` is kept for it. */
export function takeInterrupts(): Interrupts {
  const isPress = createPairing();
  let times = 0;
  let listener: ((times: number) => void) | null = null;
  const arrive = (way: Way) => {
    if (!isPress(way, performance.now())) return;
    times += 1;
    listener?.(times);
  };
  const direct = () => arrive("direct");
  for (const signal of SIGNALS) process.on(signal, direct);
  onPassedOn(() => arrive("passed-on"));
  return {
    listen(press) {
      listener = press;
      if (times > 0) press(times);
    },
    close() {
      for (const signal of SIGNALS) process.removeListener(signal, direct);
      onPassedOn(null);
    },
  };
}
