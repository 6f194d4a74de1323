// The outside system of this example: says what it was asked for.
import { createServer } from "node:http";

createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ region: url.pathname.slice(8), ...Object.fromEntries(url.searchParams) }));
}).listen(8099, "127.0.0.1", () => console.log("http://127.0.0.1:8099"));
