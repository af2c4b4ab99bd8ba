import { PemMalformedError } from "../errors/x509.ts"

/** One block of a PEM text: what stands behind BEGIN, and the bytes. */
export type PemBlock = { label: string; der: Uint8Array }

const BEGIN = /^-----BEGIN ([A-Za-z0-9][A-Za-z0-9 .#_-]{0,63})-----[ \t]*$/
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
const PADDING = 64
const BLANK = 65
const FOREIGN = 66

// What each ASCII character stands for in base64.
const VALUES: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  if (character === "=") return PADDING
  if (character === " " || character === "\t" || character === "\n" || character === "\r") return BLANK
  const value = ALPHABET.indexOf(character)
  return value < 0 ? FOREIGN : value
})

/**
 * The PEM blocks in `text`, in order (RFC 7468). Text outside of blocks is skipped, as `openssl x509 -text` writes it.
 *
 * @param label only blocks with this label; the bodies of others are not looked at.
 * @throws {@link PemMalformedError} for a block without its end line, foreign characters, wrong or missing padding.
 */
export function decodePem(text: string, label?: string): PemBlock[] {
  const blocks: PemBlock[] = []
  let position = 0
  for (;;) {
    const begin = nextBegin(text, position)
    if (begin === undefined) return blocks
    const ending = `-----END ${begin.label}-----`
    const end = text.indexOf(ending, begin.bodyStart)
    const nested = text.indexOf("-----BEGIN ", begin.bodyStart)
    if (end < 0 || (nested >= 0 && nested < end)) refuse(text, begin.bodyStart, `no "${ending}" line`)

    if (label === undefined || label === begin.label) {
      blocks.push({ label: begin.label, der: decodeBase64(text, begin.bodyStart, end) })
    }
    position = end + ending.length
  }
}

/** One PEM block: base64 in lines of 64 characters between BEGIN and END. */
export function encodePem(label: string, der: Uint8Array): string {
  let binary = ""
  for (const octet of der) binary += String.fromCharCode(octet)
  const lines = btoa(binary).match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n")
}

function nextBegin(text: string, from: number): { label: string; bodyStart: number } | undefined {
  for (let at = text.indexOf("-----BEGIN ", from); at >= 0; at = text.indexOf("-----BEGIN ", at + 1)) {
    const atLineStart = at === 0 || text[at - 1] === "\n" || text[at - 1] === "\r" || text[at - 1] === "\ufeff"
    if (!atLineStart) continue
    const lineEnd = lineEndAfter(text, at)
    const match = BEGIN.exec(text.slice(at, Math.min(lineEnd, at + 128)))
    if (match === null) refuse(text, at, "a BEGIN line that is not complete")
    return { label: match[1] as string, bodyStart: lineEnd }
  }
  return undefined
}

function lineEndAfter(text: string, from: number): number {
  for (let i = from; i < text.length; i++) if (text[i] === "\n" || text[i] === "\r") return i
  return text.length
}

// Strict: whole quanta, padding only at the end, no bits left over (RFC 4648, 3.5), so that bytes have one spelling.
function decodeBase64(text: string, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(((end - start) * 3) / 4))
  let length = 0
  let bits = 0
  let characters = 0
  let padding = 0
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    const value = code < 128 ? (VALUES[code] as number) : FOREIGN
    if (value === BLANK) continue
    if (value === FOREIGN) refuse(text, i, "a character that is not base64")
    characters++
    if (value === PADDING) {
      padding++
      continue
    }
    if (padding > 0) refuse(text, i, "base64 goes on behind its padding")
    bits = ((bits << 6) | value) & 0xfff
    const phase = characters % 4
    if (phase === 2) bytes[length++] = bits >> 4
    else if (phase === 3) bytes[length++] = (bits >> 2) & 0xff
    else if (phase === 0) bytes[length++] = bits & 0xff
  }
  const leftOver = padding === 2 ? bits & 0x0f : padding === 1 ? bits & 0x03 : 0
  if (characters % 4 !== 0 || padding > 2 || leftOver !== 0) refuse(text, end, "base64 is cut or padded wrongly")
  if (length === 0) refuse(text, end, "the block is empty")
  return bytes.slice(0, length)
}

function refuse(text: string, position: number, reason: string): never {
  let line = 1
  for (let i = text.indexOf("\n"); i >= 0 && i < position; i = text.indexOf("\n", i + 1)) line++
  throw new PemMalformedError({ reason, line })
}
