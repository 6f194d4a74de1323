/** What the permits of 75 ms come to at 1,000/s, and one: the most that any freeze or late timer can let go at once. */
export const GRACE_CALLS = 76;
