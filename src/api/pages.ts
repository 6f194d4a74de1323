/** The two static pages. They carry no data, load nothing from elsewhere and run no script. */

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
};

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#222}
code,pre{font:14px/1.5 ui-monospace,monospace;background:#f4f4f2;border-radius:4px}
code{padding:.1em .3em}pre{padding:1rem;overflow:auto}
@media(prefers-color-scheme:dark){body{background:#16181a;color:#ddd}code,pre{background:#24272a}a{color:#8ab4f8}}`;

/** `/` */
export const HOME_PAGE = page(
  "Weir",
  `<h1>Weir</h1>
<p>Runs a long list of calls against a system that only allows so many per second.</p>
<ul><li><a href="/docs">How to use the API</a></li><li><a href="/openapi.json">OpenAPI description</a></li>
<li><a href="/spec.schema.json">The keys of a spec, as JSON Schema for editors</a></li></ul>`,
);

/** `/docs` */
export const DOCS_PAGE = page(
  "Weir: the API",
  `<h1>The API</h1>
<p>Every path, field and bound is in <a href="/openapi.json">/openapi.json</a>. All but this page, <code>/</code>,
<code>/openapi.json</code>, <code>/spec.schema.json</code> and <code>/healthz</code> need <code>Authorization: Bearer &lt;WEIR_TOKEN&gt;</code>.</p>
<h2>A run, from list to results</h2>
<pre>H="authorization: Bearer $WEIR_TOKEN"
curl -H "$H" -T user_ids.txt $URL/v1/inputs/user_ids.txt
curl -H "$H" $URL/v1/runs -d '{
  "source": {"kind": "input", "name": "user_ids.txt", "format": "lines"},
  "task": {"kind": "http", "url": "https://api.example.com/v1/users/{{item}}"},
  "quota": {"requests": "1000/s"}, "maxParallelism": 500, "chunkSize": 1000
}'
curl -H "$H" $URL/v1/runs/RUN
curl -H "$H" $URL/v1/runs/RUN/results -o results.jsonl
curl -H "$H" $URL/v1/runs/RUN/failures/summary
curl -H "$H" $URL/v1/runs/RUN/retry -d '{"kinds": ["timeout"]}'
curl -H "$H" $URL/v1/runs/RUN/results?merged=true -o results.jsonl</pre>
<p><code>POST /v1/plans</code> takes the same body, starts nothing, and says how long the run would take, what limits
it, and what the first request would be.</p>
<h2>Errors</h2>
<pre>{"error": {"code": "invalid", "message": "…", "path": "quota.requests", "requestId": "…",
  "problems": [{"path": "quota.requests", "message": "…"}, {"path": "task.url", "message": "…"}]}}</pre>
<p><code>problems</code> is everything that is wrong with the body; <code>message</code> and <code>path</code> are those
of the first. Every key of a spec is in <a href="/spec.schema.json">/spec.schema.json</a>.</p>`,
);

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style></head><body>
${body}
</body></html>
`;
}
