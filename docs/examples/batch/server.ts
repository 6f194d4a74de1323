/**
 * The outside system of the example: takes up to a hundred vectors a call and answers one result for each. A call
 * that holds the word "poison" is refused as a whole, as many systems do; "cedar" is rejected by its own result.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const port = Number(process.argv[2] ?? 8322);

const server = createServer(async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  const { vectors } = JSON.parse(Buffer.concat(pieces).toString()) as { vectors: { id: string }[] };
  console.log(vectors.map(({ id }) => id).join(" "));
  response.setHeader("content-type", "application/json");
  if (vectors.length > 100 || vectors.some(({ id }) => id === "poison")) response.statusCode = 400;
  const results = vectors.map(({ id }) => ({ id, status: id === "cedar" ? "rejected" : "stored" }));
  response.end(JSON.stringify({ results: results.reverse() }));
});
server.listen(port, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
