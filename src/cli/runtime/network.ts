/**
 * The network as the embedded Worker calls it: a binding that leads straight out of workerd.
 *
 * Miniflare leads the global `fetch` through a Worker of its own, and that is more than half of what a bare call costs
 * (`npm run bench -- --only throughput`). Reached and trusted is what it would reach and trust; what a spec may call is
 * decided in `tasks/calls/egress.ts`.
 */
import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";

export function network() {
  return {
    allow: ["public", "private", "240.0.0.0/4"],
    deny: [],
    tlsOptions: { trustBrowserCas: true, trustedCertificates: trusted() },
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Beyond the browsers' authorities: those of NODE_EXTRA_CA_CERTS; workerd finds none by itself on Windows. */
function trusted(): string[] {
  const own = process.platform === "win32" ? rootCertificates : [];
  return [...own, ...extra(process.env.NODE_EXTRA_CA_CERTS ?? "")];
}

/** Of a file that cannot be read there are none, as for Node, which warns of it at its start. */
function extra(path: string): readonly string[] {
  try {
    return path === "" ? [] : (readFileSync(path, "utf8").match(CERTIFICATE) ?? []);
  } catch {
    return [];
  }
}
