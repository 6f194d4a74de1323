/** p-throttle: one process, all ids handed over at once. Settings: `limit`, `interval`, `strict`. */
import pThrottle from "p-throttle";
import { caller, ignore, setup } from "./call.mjs";

const call = pThrottle(setup.settings)(caller(setup.url));
await Promise.all(Array.from({ length: setup.ids }, (_, id) => call(id).catch(ignore)));
