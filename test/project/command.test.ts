/** The command of a clone is there as soon as its packages are: nothing has to be built for `npx weir`. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copyProject } from "../support/ownWeir.ts";

test("npx weir runs in a clone without dist/", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-clone-"));
  try {
    copyProject(folder);
    const said = execFileSync("npx", ["--no-install", "weir", "--version"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(said).toMatch(/^weir \d/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
