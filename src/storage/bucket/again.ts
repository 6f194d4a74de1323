/**
 * A call to storage that is made again when it is refused: work of many calls (a join, an index) would otherwise
 * never end where one call in a hundred is refused. For calls that may be repeated only; bounded, so that storage that
 * is away is left to whoever asked. Lanes have their own way, within their lease (`src/lane/items/insist.ts`).
 */
import { STORAGE_RETRY_FIRST_MS, STORAGE_TRIES } from "../../core/limits.ts";
import { StorageSilent } from "./answered.ts";

/**
 * What `act` gives at last. Throws what its last try threw, or at once what no try will mend: storage that was silent for
 * its whole time, and what `isFinal` says.
 */
export async function again<T>(
  act: () => Promise<T>,
  isFinal: (fault: unknown) => boolean = () => false,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (fault) {
      if (tries === STORAGE_TRIES || fault instanceof StorageSilent || isFinal(fault)) throw fault;
      const waitMs = STORAGE_RETRY_FIRST_MS * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
