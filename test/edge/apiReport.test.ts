import { describe, expect, it } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import { type Answer, answer, call } from "./callApi.ts";
import { ended, numbers, SLOW, start, USERS } from "./runsOverApi.ts";

interface Report extends Answer {
  readonly report: Readonly<Record<string, unknown>>;
  readonly coverage: {
    readonly items: number;
    readonly ok: number;
    readonly failed: number;
    readonly text: string;
  };
  readonly fields: Readonly<Record<string, unknown>>;
}

const report = async (id: string, query = "") =>
  answer<Report>(await call("GET", `/v1/runs/${id}/report${query}`));

/** The target answers {"id": "n"}, and 404 where n ends in 7. */
const SPEC = {
  source: { kind: "items", items: numbers(50) },
  task: { kind: "http", url: USERS },
  chunkSize: 9,
  reduce: { id: "sum", ids: "count", top: { top: 2, by: "id" } },
};
const SUM = (49 * 50) / 2;
const SUM_OF_SEVENS = 7 + 17 + 27 + 37 + 47;

describe("a report", () => {
  it("is of the rows that went well, says how many, and takes in retries when asked", async () => {
    const run = await ended((await start(SPEC)).id);
    expect(run.totals).toEqual({ id: SUM - SUM_OF_SEVENS, ids: 0 });
    const own = await report(run.id);
    expect(own.status).toBe(200);
    expect(own.body.report).toEqual({
      id: SUM - SUM_OF_SEVENS,
      ids: 0,
      top: [
        { index: 49, by: 49, item: "49" },
        { index: 48, by: 48, item: "48" },
      ],
    });
    expect(own.body.coverage).toEqual({ items: 50, ok: 45, failed: 5, text: "45 of 50 items" });
    expect(own.body.fields.ids).toEqual({
      values: 0,
      missing: 45,
      unusable: 0,
      note: "no row has this value",
    });

    const healed = { task: { url: "https://target.test/healed/{{item}}" } };
    const { body: child } = await answer<RunView>(await call("POST", `/v1/runs/${run.id}/retry`, healed));
    expect((await ended(child.id)).totals).toEqual({ id: SUM_OF_SEVENS, ids: 0 });
    expect((await report(run.id)).body.coverage.text).toBe("45 of 50 items");
    const merged = await report(run.id, "?merged=true");
    expect(merged.body.report.id).toBe(SUM);
    expect(merged.body.coverage).toEqual({ items: 50, ok: 50, failed: 0, text: "50 of 50 items" });
  });

  it("is empty while nothing is committed, and refused where the spec asks for none", async () => {
    const going = await start({ ...SPEC, ...SLOW });
    expect((await report(going.id)).body).toMatchObject({ report: { id: 0 }, coverage: { ok: 0 } });
    await call("POST", `/v1/runs/${going.id}/cancel`);
    const without = await start({ source: { kind: "items", items: ["a"] }, ...SLOW });
    expect(await report(without.id)).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining("reduce") } },
    });
    await call("POST", `/v1/runs/${without.id}/cancel`);
    expect((await report("r_000000000000000000")).status).toBe(404);
  });
});
