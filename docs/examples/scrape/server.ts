/** The websites of the example: the same pages on two hosts of this machine, and a robots.txt that disallows one. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

const PAGES: Readonly<Record<string, string>> = {
  "/": `<title>Caf&eacute; &amp; bar</title><meta name="description" content="Open &ndash; always">
    <h1>Welcome</h1><a href="/menu">Menu</a> <a href="/old">Old menu</a>`,
  "/menu": "<title>Menu</title><h1>Soup, <b>bread</b></h1>",
  "/app": '<title>App</title><div id="root"></div><script src="/app.js"></script>',
  "/private/books": "<title>Books</title>",
};

const answer: RequestListener = (request, response) => {
  const path = request.url ?? "";
  console.error(`${request.headers.host}${path}`);
  if (path === "/robots.txt") response.end("User-agent: *\nDisallow: /private/\n");
  else if (path === "/old") response.writeHead(301, { location: "/menu" }).end();
  else if (PAGES[path] === undefined) response.writeHead(404).end();
  else response.setHeader("content-type", "text/html; charset=utf-8").end(PAGES[path]);
};

const first = createServer(answer);
first.listen(Number(process.argv[2] ?? 8331), "127.0.0.1", () => {
  const { port } = first.address() as AddressInfo;
  createServer(answer).listen(port, "127.0.0.2", () => console.log(`http://127.0.0.1:${port}`));
});
