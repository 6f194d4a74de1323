/** The Worker's lanes as the `weir` command runs them, without anything added. */
import { createEmbeddedLanes } from "./package/embeddedLanes.ts";

export default createEmbeddedLanes();
