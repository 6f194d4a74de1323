/**
 * Ctrl-C and its kin. The first asks to pause, the second means "at once".
 *
 * One wish may arrive several times: `timeout` and systemd signal the command and then its whole group, a terminal
 * signals both processes of the command on an older Node (`weir.js`) and the outer one passes on what it gets. So
 * what arrives within half a second of a press belongs to it.
 */
import { onOrphaned, onPassedOn } from "./outerProcess.ts";

export interface Interrupts {
  /** `press` is called with 1 for the first, 2 for the second … Replaces the former listener. */
  listen(press: (times: number) => void): void;
  close(): void;
}

const ONE_PRESS_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Presses out of arrivals: true for an arrival that is a press of its own. Exported for its test. */
export function createPresses(): (nowMs: number) => boolean {
  let pressedAtMs = Number.NEGATIVE_INFINITY;
  return (nowMs) => {
    if (nowMs - pressedAtMs < ONE_PRESS_MS) return false;
    pressedAtMs = nowMs;
    return true;
  };
}

/** Takes the signals over from here on; a press before `listen` is kept for it. */
export function takeInterrupts(): Interrupts {
  const isPress = createPresses();
  let times = 0;
  let listener: ((times: number) => void) | null = null;
  const arrive = () => {
    if (!isPress(performance.now())) return;
    times += 1;
    listener?.(times);
  };
  for (const signal of SIGNALS) process.on(signal, arrive);
  onPassedOn(arrive);
  // Whoever wanted to end the command has done so: that is a press, but never a second one.
  onOrphaned(() => {
    if (times === 0) arrive();
  });
  return {
    listen(press) {
      listener = press;
      if (times > 0) press(times);
    },
    close() {
      for (const signal of SIGNALS) process.removeListener(signal, arrive);
      onPassedOn(null);
      onOrphaned(null);
    },
  };
}
