/** Faults of files, pipes and disks in words that people know. */
import { printable } from "./words/printable.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the disk",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be too large",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "it is not permitted",
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "links lead round in a circle",
  EIO: "the device does not take it",
  EPIPE: "its reader has gone away",
};

/** What went wrong, for the end of a sentence. */
export function faultOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return WORDS[code] ?? printable(error instanceof Error ? error.message : String(error));
}
