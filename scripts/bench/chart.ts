/** Charts as SVG, drawn without a library: bars beside their names, and lines over time. Readable on light and dark. */

const WIDTH = 760;
const LEFT = 300;
const BAR = 18;
const GAP = 8;
const TOP = 44;
/** Text is grey: it can be read on white and on black. */
const INK = "#7a7f87";
const COLOURS = ["#2f6fdb", "#c2593f", "#3f9a63"] as const;

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Drawn in the first colour; the others in the second. */
  readonly isOurs: boolean;
}

/** Horizontal bars, longest value to the right edge; a bar that could not be measured is left out. */
export function barChart(title: string, bars: readonly Bar[], digits: number): string {
  const drawn = bars.filter(({ value }) => !Number.isNaN(value));
  const most = Math.max(...drawn.map(({ value }) => value), Number.MIN_VALUE);
  const room = WIDTH - LEFT - 90;
  const lines = drawn.flatMap(({ name, value, isOurs }, i) => {
    const y = TOP + i * (BAR + GAP);
    const width = Math.max(1, (value / most) * room);
    return [
      label(LEFT - 8, y + 13, name, "end"),
      `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" fill="${COLOURS[isOurs ? 0 : 1]}"/>`,
      label(LEFT + width + 6, y + 13, value.toFixed(digits), "start"),
    ];
  });
  return svg(TOP + drawn.length * (BAR + GAP) + 10, title, lines);
}

export interface Line {
  readonly name: string;
  /** One value a step, left to right. */
  readonly values: readonly number[];
}

/** Lines over equal steps of time, from zero up. */
export function lineChart(
  title: string,
  lines: readonly Line[],
  axis: { readonly stepName: string; readonly most?: number },
): string {
  const [left, height] = [56, 220];
  const steps = Math.max(2, ...lines.map(({ values }) => values.length));
  const most = axis.most ?? Math.max(1, ...lines.flatMap(({ values }) => values));
  const x = (step: number) => left + (step * (WIDTH - left - 20)) / (steps - 1);
  const y = (value: number) => TOP + height - (Math.min(value, most) / most) * height;
  const drawn = lines.flatMap(({ name, values }, i) => {
    const points = values.map((value, step) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    const colour = COLOURS[i % COLOURS.length];
    return [
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
      `<text x="${left + 10 + i * 220}" y="${TOP + height + 34}" fill="${colour}">${escaped(name)}</text>`,
    ];
  });
  const ticks = [0, most / 2, most].flatMap((value) => [
    `<line x1="${left}" x2="${WIDTH - 20}" y1="${y(value)}" y2="${y(value)}" stroke="${INK}" stroke-opacity="0.3"/>`,
    label(left - 6, y(value) + 4, String(Math.round(value)), "end"),
  ]);
  const end = label(WIDTH - 20, TOP + height + 18, `${steps - 1} ${axis.stepName}`, "end");
  return svg(TOP + height + 46, title, [
    ...ticks,
    ...drawn,
    label(left, TOP + height + 18, "0", "start"),
    end,
  ]);
}

function svg(height: number, title: string, lines: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<title>${escaped(title)}</title>
<text x="12" y="24" font-size="15" font-weight="600" fill="${INK}">${escaped(title)}</text>
${lines.join("\n")}
</svg>
`;
}

function label(x: number, y: number, text: string, anchor: "start" | "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" fill="${INK}">${escaped(text)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
