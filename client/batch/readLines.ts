/** A line of text, from 1; `text` is undefined when it is longer than allowed. */
export type TextLine = { number: number; text: string | undefined }

const LINE_FEED = 10
// One byte a character, so that a chunk may end anywhere; what is not ASCII stays recognisable as such.
const DECODER = new TextDecoder("latin1")
const UTF8_MARK = "\u00ef\u00bb\u00bf"

/**
 * The lines of a byte stream, some at a time, without their ends (LF or CR LF). Bytes are characters: only ASCII comes
 * out as it is meant. A byte order mark of UTF-8 in front is left out. A line that is too long is not kept in memory.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maximumLength: number,
): AsyncGenerator<TextLine[]> {
  let rest = ""
  let tooLong = false
  let number = 0

  for await (const chunk of chunks) {
    const lines: TextLine[] = []
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      const fits = !tooLong && rest.length + end - start <= maximumLength + 1 // a CR is cut off later
      lines.push(toLine(++number, fits ? rest + DECODER.decode(chunk.subarray(start, end)) : undefined, maximumLength))
      rest = ""
      tooLong = false
      start = end + 1
    }
    if (rest.length + chunk.length - start > maximumLength + 1) {
      tooLong = true
      rest = ""
    } else if (!tooLong) {
      rest += DECODER.decode(chunk.subarray(start))
    }
    if (lines.length > 0) yield lines
  }
  if (tooLong || rest !== "") yield [toLine(number + 1, tooLong ? undefined : rest, maximumLength)]
}

function toLine(number: number, raw: string | undefined, maximumLength: number): TextLine {
  let text = raw
  if (text?.endsWith("\r") === true) text = text.slice(0, -1)
  if (number === 1 && text?.startsWith(UTF8_MARK) === true) text = text.slice(UTF8_MARK.length)
  return { number, text: text !== undefined && text.length > maximumLength ? undefined : text }
}
