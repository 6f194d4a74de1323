/**
 * A connection that outlives the process it leads to: an owner may end while it is asked, and then whoever has the
 * state folder next is asked, or a runtime of one's own. For commands that read or steer, whose requests may be
 * sent twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, type Client, Unreachable } from "./client.ts";
import type { Connection } from "./connection.ts";

/** An owner that starts its runtime again, or hands the folder on, is done in less. */
const WAIT_MS = 10_000;
const LOOK_AGAIN_MS = 100;

/** `look` finds whoever has the folder now. */
export function lookingAgain(first: Connection, look: () => Promise<Connection>): Connection {
  let current = first;
  const insist = async <T>(call: Call | undefined, ask: (client: Client) => Promise<T>): Promise<T> => {
    const untilMs = Date.now() + WAIT_MS;
    for (;;) {
      try {
        return await ask(current.client);
      } catch (error) {
        if (!(error instanceof Unreachable) || isSpent(call)) throw error;
        if (current.kind !== "owner" || Date.now() > untilMs) throw error;
      }
      await sleep(LOOK_AGAIN_MS);
      await current.close();
      current = await look();
    }
  };
  return {
    client: {
      get address() {
        return current.client.address;
      },
      ask: (method, path, call) => insist(call, (client) => client.ask(method, path, call)),
      open: (path, call) => insist(call, (client) => client.open(path, call)),
      close: () => current.client.close(),
    },
    get kind() {
      return current.kind;
    },
    get isFollowed() {
      return current.isFollowed;
    },
    get where() {
      return current.where;
    },
    announceRun: (run) => current.announceRun(run),
    lost: () => current.lost(),
    listen: (tell) => current.listen(tell),
    close: () => current.close(),
  };
}

/** A body that passes by once cannot be sent again. */
function isSpent(call: Call | undefined): boolean {
  return call?.body !== undefined && !(call.body instanceof Uint8Array);
}
