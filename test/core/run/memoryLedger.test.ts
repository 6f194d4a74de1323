import { MemoryLedger } from "../../../src/core/run/memoryLedger.ts";
import { ledgerContract } from "../../support/ledgerContract.ts";

ledgerContract("in memory", async (test) => test(new MemoryLedger()));
