/** What `ask` says of each, in order, of at most `atOnce` of them at a time: each is a call to an object. */
export async function inGroups<T, R>(
  all: readonly T[],
  atOnce: number,
  ask: (one: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < all.length; at += atOnce) {
    answers.push(...(await Promise.all(all.slice(at, at + atOnce).map(ask))));
  }
  return answers;
}
