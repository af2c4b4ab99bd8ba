import type { Block, Evidence } from "../../../client/index.ts"

/** A block for programs. */
export function blockJson({ number, hash, timestamp }: Block): Record<string, unknown> {
  return { number, hash, timestamp: timeText(timestamp) }
}

/** A block for people. */
export function blockText({ number, timestamp }: Block): string {
  return `block ${number} of ${timeText(timestamp)}`
}

/** Where a replica's trust comes from, for programs. */
export function evidenceJson({ kind, detail }: Evidence): Record<string, unknown> {
  return { kind, detail }
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
