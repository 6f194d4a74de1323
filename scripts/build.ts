/** Makes `dist/`: the Worker and its lanes as modules, and the options of the embedded runtime. */
import { build } from "../src/cli/runtime/build.ts";

await build();
