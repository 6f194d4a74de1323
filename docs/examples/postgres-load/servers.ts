/**
 * What the example needs, on this machine: a PostgreSQL server with an empty table, and a store that speaks S3 with
 * five gzip files of a hundred orders. Prints the store's address and the variables that the command wants; Enter ends it.
 */
import { gzipSync } from "node:zlib";
import { startPostgres } from "../../../test/support/postgres.ts";
import { S3Double } from "../../../test/support/s3Store.ts";

const store = await new S3Double({ port: Number(process.argv[2] ?? 8333) }).start();
for (let file = 0; file < 5; file++) {
  const orders = Array.from({ length: 100 }, (_, n) => ({
    id: 100 * file + n,
    customer: { name: `customer ${n}` },
    total: `${n}.50`,
  }));
  store.put(`orders/${file}.jsonl.gz`, gzipSync(orders.map((order) => `${JSON.stringify(order)}\n`).join("")));
}

const server = await startPostgres({ connections: 4 });
await server.query("CREATE TABLE orders (id bigint PRIMARY KEY, customer text, total numeric(12,2))");
await server.query("GRANT INSERT ON orders TO lanes");

console.log(`# ${store.endpoint}`);
const variables = { ...store.secrets, WEIR_SECRET_ORDERS_DB: server.connectionString };
for (const [name, value] of Object.entries(variables)) console.log(`export ${name}='${value}'`);

console.log("# Enter ends both servers");

process.stdin.once("readable", async () => {
  await Promise.all([server.close(), store.close()]);
  process.exit(0);
});
