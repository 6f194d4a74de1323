/** The command as the package holds it: what `weir.js` runs where there is no source beside it. */
import module from "node:module";
import { join } from "node:path";
import { PROJECT } from "./project.ts";

if (Promise.withResolvers === undefined) {
  // Node 20.
  Promise.withResolvers = <T>() => {
    let resolve!: (value: T | PromiseLike<T>) => void;
    let reject!: (reason?: unknown) => void;
    const promise = new Promise<T>((...ends) => {
      [resolve, reject] = ends;
    });
    return { promise, resolve, reject };
  };
}
// What was compiled is kept beside the command, where that can be written: it makes every start shorter.
module.enableCompileCache?.(join(PROJECT, "dist/compiled"));
const { main } = await import("./main.ts");
await main(process.argv.slice(2));
