/** How deep an answer may nest: a block with its transactions needs four, call traces some dozens. */
const MAX_DEPTH = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/**
 * JSON.parse for text by strangers: what nests deeper than any honest answer never becomes a value, since whatever walks such a
 * value runs out of stack.
 *
 * @throws SyntaxError
 */
export function parseBoundedJson(text: string): unknown {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (inString) {
      if (code === BACKSLASH) i += 1
      else if (code === QUOTE) inString = false
    } else if (code === QUOTE) inString = true
    else if (OPENING.has(code)) {
      depth += 1
      if (depth > MAX_DEPTH) throw new SyntaxError(`nested deeper than ${MAX_DEPTH}`)
    } else if (CLOSING.has(code)) depth -= 1
  }
  return JSON.parse(text)
}
