/** The minute's tick of an embedded runtime, which fires no cron triggers by itself. */

const MINUTE_MS = 60_000;
/** A timer that is early would find nothing due yet. */
const AFTER_MS = 100;

/** Calls `tick` just after every full minute, where cron expressions fall due. Returns what ends it. */
export function everyMinute(tick: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = () => {
    const untilNextMs = MINUTE_MS - (Date.now() % MINUTE_MS) + AFTER_MS;
    timer = setTimeout(() => {
      arm();
      tick();
    }, untilNextMs).unref();
  };
  arm();
  return () => clearTimeout(timer);
}
