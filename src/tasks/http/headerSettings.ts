/** The headers of a spec, their templates parsed once; what is wrong with any of them is said of each. */
import { complainAboutHeaderName, parseHeaderTemplate } from "../../core/template/headerTemplate.ts";
import type { Template } from "../../core/template/template.ts";
import type { Complaint } from "../task.ts";

export interface PlannedHeader {
  readonly name: string;
  readonly template: Template;
}

/** `path`: where the header stands, below `task`. `set`: headers that the task sets itself. */
export function planHeaders(
  given: readonly { readonly name: string; readonly text: string; readonly path: string }[],
  set: readonly PlannedHeader[] = [],
): { readonly headers: readonly PlannedHeader[]; readonly complaints: readonly Complaint[] } {
  const headers = [...set];
  const complaints: Complaint[] = [];
  for (const { name, text, path } of given) {
    const complaint = complainAboutHeaderName(name);
    const template = parseHeaderTemplate(name, text);
    const lower = name.toLowerCase();
    if (complaint !== null) complaints.push({ path, message: complaint });
    else if (template.kind === "invalid") complaints.push({ path, message: template.message });
    else if (headers.some((other) => other.name === lower))
      complaints.push({ path, message: `is set twice: ${lower} stands there already` });
    else headers.push({ name: lower, template: template.value });
  }
  return { headers, complaints };
}

/** The headers of a spec as they stand there. */
export function headerEntries(headers: Readonly<Record<string, string>>) {
  return Object.entries(headers).map(([name, text]) => ({ name, text, path: `headers.${name}` }));
}
