/** The one call that every peer makes: as `fetch` of this Node makes it, without retries. A 429 is an error. */
export function caller(url) {
  return async (id) => {
    const answer = await fetch(`${url}/v1/users/u_${id}`);
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}`);
    return JSON.parse(body);
  };
}

/** What the harness says: address of the target, ids, rate, settings, stores. */
export const setup = JSON.parse(process.argv[2] ?? "{}");

/** A call that was refused is counted by the target: nothing is tried again here. */
export function ignore() {}
