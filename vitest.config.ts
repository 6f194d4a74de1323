import { resolve } from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { answerOf } from "./test/support/site.ts";
import { silenceWorkerd } from "./test/support/workerdLines.ts";

silenceWorkerd();

const siteLog: string[] = [];

/**
 * The outside system of the edge tests: whatever a lane calls ends here. `/users/<id>` answers 404 for ids that
 * end in 7, `/healed/<id>` answers every id, everything else takes a second. Hosts below `site.test` are web sites;
 * `log.site.test` tells what the others were asked for.
 */
async function outsideSystem(request: {
  readonly url: string;
  readonly headers: { get(name: string): string | null };
}): Promise<Response> {
  const url = new URL(request.url);
  if (url.hostname === "log.site.test") return Response.json(siteLog);
  if (url.hostname.endsWith(".site.test")) {
    siteLog.push(request.url);
    const { body, ...answer } = answerOf(url, request.headers.get("user-agent"));
    return new Response(body as BodyInit, answer);
  }
  const [, kind, id = ""] = new URL(request.url).pathname.split("/");
  if (kind === "users" && id.endsWith("7")) return new Response("no such user", { status: 404 });
  if (kind !== "users" && kind !== "healed") await new Promise((resolve) => setTimeout(resolve, 1000));
  return Response.json({ id });
}

/** The product in workerd, or an entry that stands around it. */
const inWorkerd = (entry: { readonly main?: string }) =>
  cloudflareTest(async () => ({
    ...entry,
    wrangler: { configPath: "./wrangler.toml" },
    miniflare: {
      bindings: {
        WEIR_SECRET_EDGE_KEY: "edge-secret-0123456789",
        WEIR_TOKEN: "the-token-of-the-edge-tests-0123456789",
        TEST_MIGRATIONS: await readD1Migrations("./migrations"),
      },
      outboundService: outsideSystem,
    },
  }));

/**
 * Files of a project share their module graph, and those in workerd their runtime and its storage: each makes its
 * runs, inputs and schedules under names of its own. A start of workerd for each file would cost more than its tests.
 */
const SHARED = { isolate: false } as const;

/** What examples import by the name of the package. */
const OWN_NAME = { "weir-run": resolve(import.meta.dirname, "src/package/weirRun.ts") };

/**
 * Files that take minutes, because a runtime hangs again and again, a minute has to come round or a wait to pass. They
 * begin first, so that the others fill the time: on a fresh checkout Vitest knows no durations and goes by size.
 */
const LONG = ["trap", "schedules", "waiting", "outage", "command"].map(
  (name) => `/test/e2e/parallel/${name}.test.ts`,
);

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.some((path) => moduleId.endsWith(path));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    // Vitest leaves one core free, which is half of a machine with two.
    maxWorkers: "100%",
    projects: [
      {
        resolve: { alias: OWN_NAME },
        test: {
          name: "node",
          ...SHARED,
          // Virtual time may be long on a machine that has others at work.
          testTimeout: 120_000,
          include: ["test/**/*.test.ts"],
          exclude: ["test/{edge,weather,e2e}/**"],
          environment: "node",
        },
      },
      {
        plugins: [inWorkerd({})],
        test: {
          name: "edge",
          ...SHARED,
          testTimeout: 30_000,
          include: ["test/edge/**/*.test.ts"],
          setupFiles: ["./test/edge/applyMigrations.ts"],
        },
      },
      {
        plugins: [inWorkerd({ main: "./test/weather/worker.ts" })],
        test: {
          name: "weather",
          ...SHARED,
          testTimeout: 120_000,
          include: ["test/weather/**/*.test.ts"],
          setupFiles: ["./test/edge/applyMigrations.ts"],
        },
      },
      {
        test: {
          name: "e2e-parallel",
          // They hold no rate to a bound, and wait more than they work: for a target, a clock, a process to start.
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
          include: ["test/e2e/parallel/*.test.ts"],
          environment: "node",
          testTimeout: 240_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "e2e-serial",
          // Each has the machine to itself.
          include: ["test/e2e/serial/*.test.ts"],
          environment: "node",
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
