/** A series over time as columns of blocks in a terminal. */

const BLOCKS = " ▁▂▃▄▅▆▇█";

/** Lines of a chart, top first: the mean of each column's share of `values`, scaled to `most`. */
export function chart(
  values: readonly number[],
  size: { readonly width: number; readonly height: number; readonly most: number },
): readonly string[] {
  const columns = squeezed(values, size.width);
  const eighths = columns.map((value) => Math.round((value / Math.max(size.most, 1e-9)) * size.height * 8));
  return Array.from({ length: size.height }, (_, row) => {
    const floor = (size.height - 1 - row) * 8;
    return eighths.map((filled) => BLOCKS[Math.min(8, Math.max(0, filled - floor))]).join("");
  });
}

/** At most `width` means of equally long stretches. */
function squeezed(values: readonly number[], width: number): readonly number[] {
  if (values.length <= width) return values;
  return Array.from({ length: width }, (_, column) => {
    const from = Math.floor((column * values.length) / width);
    const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / width));
    let sum = 0;
    for (let at = from; at < to; at++) sum += values[at] ?? 0;
    return sum / (to - from);
  });
}
