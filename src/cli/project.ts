/** Where Weir's own files lie: in a clone of its repository, or in the package that was built from one. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The command runs as it was built (`scripts/package.ts`), not from its source. */
export const IS_BUILT = !import.meta.filename.endsWith(".ts");

/** The folder of Weir's `package.json`. */
export const PROJECT = folderOfManifest(import.meta.dirname);

function folderOfManifest(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`no package.json lies above ${import.meta.dirname}`);
  return folderOfManifest(parent);
}
