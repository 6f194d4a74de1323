/** What this project adds to Weir: a spec names each by its name here. */
import { defineWeir } from "weir-run";
import { copy } from "./tasks/copy.ts";
import { digest } from "./tasks/digest.ts";

export default defineWeir({ tasks: { copy, digest } });
