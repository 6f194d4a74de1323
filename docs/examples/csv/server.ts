/** The outside system of the example: answers every PUT with the length of the note it got. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const port = Number(process.argv[2] ?? 8321);

const server = createServer(async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  const { customer, note } = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, string>;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ path: request.url, customer, noteLines: note?.split("\n").length }));
});
server.listen(port, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
