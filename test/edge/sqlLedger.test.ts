import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { Env } from "../../src/objects/env.ts";
import { CountedSql } from "../../src/run/countedSql.ts";
import { SqlLedger } from "../../src/run/sqlLedger.ts";
import { ledgerContract } from "../support/ledgerContract.ts";

let objects = 0;

ledgerContract("SQLite of the Run object", async (test) => {
  const stub = (env as unknown as Env).RUN.getByName(`ledger-contract-${objects++}`);
  await runInDurableObject(stub, (_object, state) => test(new SqlLedger(new CountedSql(state.storage.sql))));
});
