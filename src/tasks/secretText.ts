/** A secret written in its place, so that its characters cannot leave it. */
import { escapeJson, escapeXml } from "../core/template/bodyTemplate.ts";
import type { SecretPiece } from "../core/template/template.ts";
import { CallRefused } from "./task.ts";

/** The secret's text as it stands in a URL, a header or a body. Throws CallRefused where it cannot stand there. */
export function writeSecret(value: string, piece: SecretPiece, place: "url" | "header" | "body"): string {
  if (place === "header") {
    if (/^[\t\u0020-\u007e]*$/.test(value)) return value;
    throw new CallRefused(`secret ${piece.secret} holds a character that headers cannot carry`);
  }
  if (place === "url") return encodeURIComponent(value.toWellFormed());
  switch (piece.as) {
    case "json":
      return escapeJson(value);
    case "form":
      return encodeURIComponent(value.toWellFormed());
    case "xml":
      return escapeXml(value);
    default:
      return value;
  }
}
