/** UTF-8 and base64 of a text, where no platform is at hand that has them. */

/** The text's bytes; none for half a surrogate pair, which has no encoding and cannot have been sent. */
export function utf8Of(value: string): number[] {
  const bytes: number[] = [];
  const percent = value.isWellFormed() ? encodeURIComponent(value) : "";
  for (let at = 0; at < percent.length; at++) {
    if (percent[at] !== "%") bytes.push(percent.charCodeAt(at));
    else {
      bytes.push(Number.parseInt(percent.slice(at + 1, at + 3), 16));
      at += 2;
    }
  }
  return bytes;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** With its padding. */
export function base64Of(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b, c] = bytes.slice(at, at + 3);
    const word = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    text += BASE64.charAt(word >> 18) + BASE64.charAt((word >> 12) & 63);
    text += b === undefined ? "=" : BASE64.charAt((word >> 6) & 63);
    text += c === undefined ? "=" : BASE64.charAt(word & 63);
  }
  return text;
}
