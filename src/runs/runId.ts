/** Ids of runs: `r_`, nine characters of time, nine of chance. They sort by creation and fit in a URL and a key. */

/** Crockford's base 32 in lower case: no letter that is taken for a digit, and it sorts as its values do. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_CHARS = 9;
/** 45 bits: with a thousand runs in one millisecond, two equal ids once in 70 million. */
export const RANDOM_BYTES = 9;

/** A new id; `random` holds `RANDOM_BYTES` random bytes. */
export function newRunId(nowMs: number, random: Uint8Array): string {
  let time = "";
  for (let rest = Math.floor(nowMs), i = 0; i < TIME_CHARS; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time;
  }
  return `r_${time}${Array.from(random, (byte) => ALPHABET.charAt(byte % 32)).join("")}`;
}

export function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
}

/** True for text that `newRunId` could have made. Nothing else is ever looked up. */
export function isRunId(text: string): boolean {
  return /^r_[0-9a-hjkmnp-tv-z]{18}$/.test(text);
}
