import { FleetFileError } from "../errors/batch.ts"
import { PemBlockMissingError, PemMalformedError } from "../errors/x509.ts"
import { decodePem } from "../x509/pem.ts"
import type { PemBlock } from "../x509/pem.ts"
import type { BatchRow } from "./batchRow.ts"
import { readLines } from "./readLines.ts"
import { toRow } from "./toRow.ts"

const MAX_LINE_LENGTH = 131_072
/** Text of one block: base64 of the largest certificate that is read (64 KiB), and room for line ends. */
const MAX_BLOCK_LENGTH = 131_072

type Block = { line: number; lines: string[]; length: number }

/**
 * The certificates of a PEM bundle (RFC 7468), each under "name:line", the line being that of its BEGIN.
 *
 * Text between blocks is skipped, as `openssl x509 -text` writes it. Blocks of another kind, blocks without an end and
 * bundles without a block are bad rows. One block is in memory at a time.
 */
export async function* rowsFromPem(
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<BatchRow> {
  let block: Block | undefined
  let found = false
  for await (const lines of readLines(chunks, MAX_LINE_LENGTH)) {
    for (const { number, text: line } of lines) {
      const text = line ?? ""
      const begins = text.startsWith("-----BEGIN ")
      if (begins) {
        if (block !== undefined) yield unfinished(name, block)
        block = { line: number, lines: [], length: 0 }
        found = true
      }
      if (block === undefined) continue
      block.length += line?.length ?? Infinity
      if (block.length <= MAX_BLOCK_LENGTH) block.lines.push(text)
      if (begins || !text.startsWith("-----END ")) continue
      yield toRow(`${name}:${block.line}`, rowOf(name, block))
      block = undefined
    }
  }
  if (block !== undefined) yield unfinished(name, block)
  if (!found) yield { source: name, error: new PemBlockMissingError({ label: "CERTIFICATE", found: [] }) }
}

function rowOf(name: string, { line, lines, length }: Block): () => BatchRow {
  return () => {
    const source = `${name}:${line}`
    if (length > MAX_BLOCK_LENGTH) {
      throw new FleetFileError({ path: source, reason: `is a block of more than ${MAX_BLOCK_LENGTH} characters` })
    }
    const found = decodeBlock(lines.join("\n"), line)
    if (found.label !== "CERTIFICATE") throw new PemBlockMissingError({ label: "CERTIFICATE", found: [found.label] })
    return { source, der: found.der }
  }
}

function decodeBlock(text: string, line: number): PemBlock {
  try {
    const [block] = decodePem(text)
    if (block !== undefined) return block
  } catch (error) {
    // Lines are counted from the bundle's first, not from the block's.
    if (!(error instanceof PemMalformedError)) throw error
    throw new PemMalformedError({ reason: error.reason, line: line + error.line - 1 })
  }
  throw new PemMalformedError({ reason: "a BEGIN line that is not complete", line })
}

function unfinished(name: string, { line }: Block): BatchRow {
  return { source: `${name}:${line}`, error: new PemMalformedError({ reason: "a block without its end", line }) }
}
