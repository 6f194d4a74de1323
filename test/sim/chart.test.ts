import { describe, expect, test } from "vitest";
import { barChart, lineChart } from "../../scripts/bench/chart.ts";

describe("charts", () => {
  test("draw one bar for each figure that was measured, its length in proportion", () => {
    const svg = barChart(
      "needed burst",
      [
        { name: "Weir <1>", value: 20, isOurs: true },
        { name: "other", value: 40, isOurs: false },
        { name: "not run", value: Number.NaN, isOurs: false },
      ],
      1,
    );
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toHaveLength(2);
    expect((widths[1] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(2, 1);
    expect(svg).toContain("Weir &lt;1&gt;");
  });

  test("draw every line within the frame", () => {
    const svg = lineChart("calls", [{ name: "calls/s", values: [0, 500, 2000] }], {
      stepName: "s",
      most: 1000,
    });
    const points = /points="([^"]+)"/.exec(svg)?.[1]?.split(" ") ?? [];
    const heights = points.map((point) => Number(point.split(",")[1]));
    expect(points).toHaveLength(3);
    expect(Math.min(...heights)).toBe(44);
    expect(Math.max(...heights)).toBe(264);
  });
});
