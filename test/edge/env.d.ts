/// <reference types="@cloudflare/vitest-plugin/types" />
import type { D1Migration } from "cloudflare:test";
import type { Env as WeirEnv } from "../../src/objects/env.ts";

declare global {
  namespace Cloudflare {
    /** The Worker's bindings, and what `vitest.config.ts` adds to them. */
    interface Env extends WeirEnv {
      readonly TEST_MIGRATIONS: D1Migration[];
    }
    interface GlobalProps {
      mainModule: typeof import("../../src/index.ts");
    }
  }
}
