/**
 * Decimal numbers of any length, as their digits: sums that are exact, so the order of adding does not matter.
 *
 * A decimal is text in one form: no exponent, no plus, no zeros that say nothing ("-12.5", "0", "90071992547409930").
 */

/** Longer is not a measurement; the largest double has 309 digits. */
const MAX_DIGITS = 400;
const NUMBER = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?$/;

export type Decimal = string;

/** Any JSON number, or text that is one, as a decimal; null for other text and for numbers beyond 400 digits. */
export function parseDecimal(text: string): Decimal | null {
  if (text.length > MAX_DIGITS) return null;
  const [, sign, whole, fraction = "", exponent = "0"] = NUMBER.exec(text) ?? [];
  if (sign === undefined || whole === undefined) return null;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > MAX_DIGITS) return null;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  return scale < 0 ? write(digits * 10n ** BigInt(-scale), 0) : write(digits, scale);
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const [one, other] = aligned(a, b);
  return write(one.digits + other.digits, one.scale);
}

export function multiplyDecimals(a: Decimal, b: Decimal): Decimal {
  const [one, other] = [read(a), read(b)];
  return write(one.digits * other.digits, one.scale + other.scale);
}

/** Below 0, 0 or above 0, as `a` is below, equal to or above `b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const [one, other] = aligned(a, b);
  if (one.digits === other.digits) return 0;
  return one.digits < other.digits ? -1 : 1;
}

/** `a / b` to 17 significant digits, as many as a double has; null when `b` is 0. */
export function divideDecimals(a: Decimal, b: Decimal): number | null {
  const [one, other] = aligned(a, b);
  if (other.digits === 0n) return null;
  const lift = Math.max(0, 20 + String(other.digits).length - String(one.digits).length);
  return Number(`${(one.digits * 10n ** BigInt(lift)) / other.digits}e-${lift}`);
}

/** As a JSON number where every reader will see the same, else as text: its digits. */
export function showDecimal(decimal: Decimal): number | string {
  const number = Number(decimal);
  if (Math.abs(number) > Number.MAX_SAFE_INTEGER) return decimal;
  return parseDecimal(String(number)) === decimal ? number : decimal;
}

interface Scaled {
  readonly digits: bigint;
  /** Decimals after the point. */
  readonly scale: number;
}

function read(decimal: Decimal): Scaled {
  const point = decimal.indexOf(".");
  if (point < 0) return { digits: BigInt(decimal), scale: 0 };
  const digits = BigInt(decimal.slice(0, point) + decimal.slice(point + 1));
  return { digits, scale: decimal.length - point - 1 };
}

function aligned(a: Decimal, b: Decimal): readonly [Scaled, Scaled] {
  const [one, other] = [read(a), read(b)];
  const scale = Math.max(one.scale, other.scale);
  return [lifted(one, scale), lifted(other, scale)];
}

function lifted({ digits, scale }: Scaled, to: number): Scaled {
  return { digits: digits * 10n ** BigInt(to - scale), scale: to };
}

function write(digits: bigint, scale: number): Decimal {
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, "0");
  const whole = text.slice(0, text.length - scale);
  const fraction = text.slice(text.length - scale).replace(/0+$/, "");
  const sign = digits < 0n ? "-" : "";
  return `${sign}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}
