// Control characters, format characters (bidirectional overrides, zero-width ones), line and paragraph separators, halves of
// surrogate pairs: nothing that a name says may move the cursor or turn the line around.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu

/** Text from outside, safe to show on a terminal: unsafe characters stand as \u{…}. */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** JSON whose strings are safe to show on a terminal too; a reader gets the very same values. */
export function printableJson(value: unknown): string {
  const text = JSON.stringify(value, jsonValue, 2)
  return text.replaceAll(UNSAFE, (character) =>
    character === "\n"
      ? character
      : Array.from({ length: character.length }, (_, i) => escaped(character.charCodeAt(i))).join(""),
  )
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`
}

function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value
}

/** Rows of columns, padded. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}
