/**
 * What the clock on the wall shows in a time zone. The rules of the zones are the engine's (`Intl`, the IANA database):
 * the same instant and zone give the same answer, so the core stays pure.
 */

/** Making one takes longer than a thousand readings; a process meets few zones. */
const formats = new Map<string, Intl.DateTimeFormat>();
const ZONES_KEPT = 100;

/** True for names such as "Europe/Berlin". An offset such as "+02:00" is none: it knows no summer. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** Local time minus UTC at an instant (milliseconds since 1970), in milliseconds. Throws where there is no such zone. */
export function offsetMs(timeZone: string, atMs: number): number {
  if (timeZone === "UTC") return 0;
  const parts = formatOf(timeZone).formatToParts(atMs);
  const text = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign, hours = "0", minutes = "0", seconds = "0"] =
    /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text) ?? [];
  const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === "-" ? -offset : offset;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  if (formats.size >= ZONES_KEPT) formats.clear();
  formats.set(timeZone, format);
  return format;
}
