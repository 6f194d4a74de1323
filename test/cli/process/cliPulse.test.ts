import { expect, test } from "vitest";
import { cpuTimeMs } from "../../../src/cli/process/pulse.ts";

test.each([
  ["0:00.52", 520],
  ["12:03.50", 723_500],
  ["01:00:02", 3_602_000],
  ["2-01:00:00", 176_400_000],
  ["", null],
])("processor time %j of ps is %s ms", (text, ms) => {
  expect(cpuTimeMs(text)).toBe(ms);
});
