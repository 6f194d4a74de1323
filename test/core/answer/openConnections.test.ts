import { describe, expect, it } from "vitest";
import { OpenConnections } from "../../../src/core/answer/openConnections.ts";
import { CONNECTION_KEPT_MS } from "../../../src/core/limits.ts";

const A = "http://a";

describe("a lost connection", () => {
  it("was not used before where no call was answered", () => {
    expect(new OpenConnections().lose(A, 0)).toBe(false);
  });

  it("may have been used as often as calls were answered, and no oftener", () => {
    const open = new OpenConnections();
    open.leave(A, 0);
    open.leave(A, 1);
    expect([open.lose(A, 2), open.lose(A, 2), open.lose(A, 2)]).toEqual([true, true, false]);
  });

  it("was not used before when the last answer is too long ago", () => {
    const open = new OpenConnections();
    open.leave(A, 0);
    expect(open.lose(A, CONNECTION_KEPT_MS + 1)).toBe(false);
    open.leave(A, 0);
    expect(open.lose(A, CONNECTION_KEPT_MS)).toBe(true);
  });

  it("is one of its own origin", () => {
    const open = new OpenConnections();
    open.leave(A, 0);
    expect(open.lose("http://b", 0)).toBe(false);
  });

  it("is counted in bounded memory", () => {
    const open = new OpenConnections();
    for (let n = 0; n < 100_000; n++) open.leave(A, n / 100);
    let lost = 0;
    while (open.lose(A, 1000)) lost += 1;
    expect(lost).toBeLessThanOrEqual(2000);
    for (let n = 0; n < 5000; n++) open.leave(`http://h${n}`, 0);
    expect(open.lose("http://h0", 0)).toBe(false);
  });
});
