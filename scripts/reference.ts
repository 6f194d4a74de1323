/** `npm run reference`: writes docs/spec.md and docs/spec.schema.json from the schemas. A test holds them against it. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { specDocument } from "../src/runSpec/jsonSchema.ts";
import { specPage } from "./reference/specPage.ts";

const DOCS = resolve(import.meta.dirname, "../docs");

writeFileSync(resolve(DOCS, "spec.md"), specPage());
writeFileSync(resolve(DOCS, "spec.schema.json"), `${JSON.stringify(specDocument(), null, 1)}\n`);
