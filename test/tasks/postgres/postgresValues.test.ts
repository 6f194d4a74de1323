/** Values of a database as JSON: no digit is lost, times sort as text. And what its errors mean. */
import { describe, expect, test } from "vitest";
import { parseJson, stringifyJson } from "../../../src/core/json.ts";
import { isDown } from "../../../src/lane/items/verdict.ts";
import {
  DatabaseFault,
  outcomeOfDatabaseFault,
  TooManyRows,
} from "../../../src/tasks/postgres/postgresFaults.ts";
import { jsonOf, parameterOf } from "../../../src/tasks/postgres/postgresValues.ts";

describe("a value of a database", () => {
  test.each<[string | null, number, string]>([
    [null, 20, "null"],
    ["t", 16, "true"],
    ["42", 20, "42"],
    ["9007199254740993", 20, "9007199254740993"],
    ["12.50", 1700, "12.5"],
    ["0.00", 1700, "0"],
    ["123456789012345678.123456789", 1700, "123456789012345678.123456789"],
    ["NaN", 1700, '"NaN"'],
    ["1e+20", 701, "100000000000000000000"],
    ["-Infinity", 701, '"-Infinity"'],
    ['{"a":9007199254740993}', 3802, '{"a":9007199254740993}'],
    ["2026-01-31 12:00:00.5+00", 1184, '"2026-01-31T12:00:00.500000Z"'],
    ["2026-01-31 12:00:00", 1114, '"2026-01-31T12:00:00.000000"'],
    ["infinity", 1184, '"infinity"'],
    ["text", 25, '"text"'],
  ])("%s of type %i is %s", (text, typeOid, json) => {
    expect(stringifyJson(jsonOf(text, typeOid))).toBe(json);
  });

  test("goes into a parameter with all its digits", () => {
    expect(parameterOf(parseJson("9223372036854775807"))).toBe("9223372036854775807");
    expect(parameterOf({ a: [1] })).toBe('{"a":[1]}');
  });
});

describe("a fault of a database", () => {
  const fault = (sqlState: string | null, timedOut = false) =>
    outcomeOfDatabaseFault(new DatabaseFault("said", { sqlState, isLost: false, timedOut }), true);

  test.each<[string, string | null, object]>([
    ["no answer is the network's", null, { kind: "transient", errorKind: "network" }],
    ["a server that starts up is away", "57P03", { kind: "transient", errorKind: "network" }],
    ["a connection that was ended is away", "57P01", { kind: "transient", errorKind: "network" }],
    ["too many connections ask to slow down", "53300", { kind: "throttled" }],
    ["a serialization failure may work later", "40001", { kind: "transient", errorKind: "task" }],
    ["a deadlock may work later", "40P01", { kind: "transient", errorKind: "task" }],
    ["a wrong password refuses the credentials", "28P01", { kind: "permanent", refused: true }],
    [
      "a statement that is wrong stays wrong",
      "42P01",
      { kind: "permanent", errorKind: "task", called: true },
    ],
  ])("%s", (_, sqlState, outcome) => {
    expect(fault(sqlState)).toMatchObject(outcome);
  });

  test("that the server told is not a sign that it is down; silence is", () => {
    expect([fault("57014", true), fault("40001"), fault("53300")].map(isDown)).toEqual([false, false, false]);
    expect([fault(null), fault("57P03")].map(isDown)).toEqual([true, true]);
    expect(fault("57014", true)).toMatchObject({ kind: "transient", errorKind: "timeout" });
  });

  test("of too many rows is the statement's own; others are not the database's", () => {
    const tooMany = outcomeOfDatabaseFault(new TooManyRows("more"), true);
    expect(tooMany).toMatchObject({ kind: "permanent", errorKind: "task", message: "more" });
    expect(() => outcomeOfDatabaseFault(new TypeError("ours"), true)).toThrow("ours");
  });
});
