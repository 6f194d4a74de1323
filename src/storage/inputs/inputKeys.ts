/**
 * Where inputs lie in R2. An upload is immutable; a name points to its newest upload:
 *
 *     inputs/current/<name>                 the record of the newest upload
 *     inputs/uploads/<name>/<upload>/data   its bytes, unpacked
 *     inputs/uploads/<name>/<upload>/index  its line index
 *     inputs/uploads/<name>/<upload>/csv-…  where its CSV records begin, once a run has asked
 *     inputs/pieces/<name>/<id>/…           pieces of an upload that is not complete
 */

/** What a name of an input looks like. */
export const INPUT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** What the id of an upload looks like. */
export const UPLOAD_ID = /^[a-z0-9]{8,64}$/;

export const CURRENT_PREFIX = "inputs/current/";

export function currentKey(name: string): string {
  return `${CURRENT_PREFIX}${name}`;
}

export function uploadsPrefix(name: string): string {
  return `inputs/uploads/${name}/`;
}

export function dataKey(name: string, upload: string): string {
  return `${uploadsPrefix(name)}${upload}/data`;
}

export function indexKey(name: string, upload: string): string {
  return `${uploadsPrefix(name)}${upload}/index`;
}

/** The record index of an upload as CSV; a delimiter is one ASCII character. */
export function csvIndexKey(name: string, upload: string, delimiter: string): string {
  return `${uploadsPrefix(name)}${upload}/csv-${delimiter.charCodeAt(0)}`;
}

/** All pieces of all unfinished uploads. */
export const PIECES_PREFIX = "inputs/pieces/";

/** Those under a name. */
export function piecesPrefix(name: string): string {
  return `${PIECES_PREFIX}${name}/`;
}

/** Zero-padded, so that R2 lists pieces in their order. */
export function pieceKey(name: string, id: string, n: number): string {
  return `${piecesPrefix(name)}${id}/${String(n).padStart(8, "0")}`;
}

/** Marks an upload in pieces as begun; sorts after every piece. */
export function openMarkKey(name: string, id: string): string {
  return `${piecesPrefix(name)}${id}/open`;
}

/** A new upload id: sortable by time, unguessable. */
export function newUploadId(nowMs: number): string {
  return `${nowMs.toString(36)}${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
}
