/** Items never leave their place in URL, header or body, and secrets go nowhere but where they were meant. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Captured, Target } from "../../support/targetOptions.ts";
import { type Finished, type TestRow, Workspace } from "../../support/weir.ts";

const SECRET = "s3cr3t-0123456789";
const ITEMS = [
  "plain",
  "..",
  "",
  "a/b",
  "?x=1&y",
  "#f",
  `"quotes" and 'quotes'`,
  "{{secret:API_KEY}}",
  "{{item}}",
  "é ü 漢",
  "moved",
];
/** Items that cannot stand where the template puts them: failed without a call. */
const IMPOSSIBLE = ["..", ""];

describe("items and secrets", () => {
  let workspace: Workspace;
  let target: Target;
  let stranger: Target;
  let ended: Finished;
  let seen: readonly Captured[];
  let strangerSaw: readonly Captured[];
  let rows: TestRow[];

  beforeAll(async () => {
    workspace = new Workspace();
    stranger = await spawnTarget({ capture: 10, echo: true });
    target = await spawnTarget({
      capture: 100,
      echo: true,
      prefix: "/v1/",
      rules: [
        { ids: "^moved", steps: [{ do: "redirect", to: `${stranger.url}/elsewhere` }], after: "repeat" },
      ],
    });
    workspace.write(
      "spec.json",
      JSON.stringify({
        source: { kind: "items", items: ITEMS },
        task: {
          kind: "http",
          method: "POST",
          url: `${target.url}/v1/{{item}}/end?q={{item}}`,
          headers: { authorization: "Bearer {{secret:API_KEY}}" },
          body: { id: "{{item}}", text: "<{{item}}>" },
        },
        allowPrivate: true,
      }),
    );
    ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"], {
      WEIR_SECRET_API_KEY: SECRET,
    });
    seen = await target.captured();
    strangerSaw = await stranger.captured();
    rows = workspace.rows("rows.jsonl");
  });
  afterAll(async () => {
    await workspace.close();
    await Promise.all([target.close(), stranger.close()]);
  });

  test("one row for every item; those that cannot stand in a path fail without a call", () => {
    expect(ended.exitCode, ended.stderr).toBe(3);
    expect(rows.map((row) => row.item)).toEqual(ITEMS);
    const failed = rows.filter((row) => !row.ok);
    expect(failed.map((row) => row.item)).toEqual(IMPOSSIBLE);
    for (const row of failed)
      expect(row).toMatchObject({ attempts: 0, throttles: 0, error: { kind: "task" } });
  });

  test.each(ITEMS.filter((item) => !IMPOSSIBLE.includes(item)))("%j stays in its place", (item) => {
    const call = seen.find(({ body }) => JSON.parse(body).id === item);
    const { pathname, searchParams } = new URL(call?.url ?? "", target.url);
    expect(decodeURIComponent(pathname)).toBe(`/v1/${item}/end`);
    expect(pathname.split("/")).toHaveLength(4);
    expect([...searchParams]).toEqual([["q", item]]);
    expect(JSON.parse(call?.body ?? "")).toEqual({ id: item, text: `<${item}>` });
    expect(call?.headers.authorization).toBe(`Bearer ${SECRET}`);
  });

  test("a redirect to another origin carries no secret", () => {
    expect(strangerSaw).toHaveLength(1);
    expect(JSON.stringify(strangerSaw)).not.toContain(SECRET);
  });

  test("a secret that the target echoes is masked in rows, and appears in nothing that was printed or kept", () => {
    const echoed = rows.find((row) => row.item === "plain")?.value as Captured;
    expect(echoed.headers.authorization).toBe("Bearer [secret:API_KEY]");
    expect(workspace.read("rows.jsonl")).not.toContain(SECRET);
    expect(ended.stderr + ended.stdout).not.toContain(SECRET);
  });
});
