/** Makes `dist/`: the Worker as one file, and the options of the embedded runtime. */
import { build } from "../src/cli/bundle.ts";

await build();
