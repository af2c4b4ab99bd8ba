import { DerTagError, DerTrailingBytesError, DerTruncatedError, DerValueError } from "../errors/x509.ts"
import { DER, readElement } from "./strictDer.ts"
import type { DerElement } from "./strictDer.ts"

/**
 * Walks the elements inside one element, from left to right. Every read names what it expects; what does not fit throws.
 *
 * Hands out slices of the input, never copies or re-encodings: what is hashed and verified is what was read.
 */
export class DerReader {
  readonly bytes: Uint8Array
  readonly #end: number
  #position: number

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.#position = start
    this.#end = end
  }

  /** The identifier octet of the next element, or -1 at the end. */
  get nextTag(): number {
    return this.#position < this.#end ? (this.bytes[this.#position] as number) : -1
  }

  /** Where the next element starts. */
  get position(): number {
    return this.#position
  }

  /** The next element, which must carry `tag`; `what` names it in the error. */
  read(tag: number, what: string): DerElement {
    if (this.nextTag !== tag) {
      if (this.nextTag === -1) throw new DerTruncatedError({ offset: this.#position })
      throw new DerTagError({ offset: this.#position, expected: what, found: this.nextTag })
    }
    const element = readElement(this.bytes, this.#position, this.#end)
    this.#position = element.end
    return element
  }

  /** The next element if it carries `tag`, else undefined. */
  readIf(tag: number, what: string): DerElement | undefined {
    return this.nextTag === tag ? this.read(tag, what) : undefined
  }

  /** A reader of what is inside the next element. */
  enter(tag: number, what: string): DerReader {
    const { body, end } = this.read(tag, what)
    return new DerReader(this.bytes, body, end)
  }

  /** Content octets of an INTEGER. */
  integer(what: string): Uint8Array {
    return this.content(this.read(DER.integer, what))
  }

  /** The octets of a BIT STRING without unused bits. */
  bitString(what: string): Uint8Array {
    const { start, body, end } = this.read(DER.bitString, what)
    if (body === end || this.bytes[body] !== 0)
      throw new DerValueError({ offset: start, reason: `${what} has unused bits` })
    return this.bytes.subarray(body + 1, end)
  }

  /** The whole element, tag and length included. */
  whole(element: DerElement): Uint8Array {
    return this.bytes.subarray(element.start, element.end)
  }

  /** The element's content alone. */
  content(element: DerElement): Uint8Array {
    return this.bytes.subarray(element.body, element.end)
  }

  /** Nothing may follow. */
  finish(): void {
    if (this.#position !== this.#end) throw new DerTrailingBytesError({ offset: this.#position })
  }
}

/** 2.5.29, below which nearly all extensions are (RFC 5280, 4.2): ready-made, for each certificate has some. */
const ID_CE: readonly string[] = Array.from({ length: 128 }, (_, arc) => `2.5.29.${arc}`)

/** An OBJECT IDENTIFIER's content octets (checked before) in dotted form. X.690, 8.19. */
export function oidText(content: Uint8Array): string {
  if (content.length === 3 && content[0] === 0x55 && content[1] === 0x1d) {
    const known = ID_CE[content[2] as number]
    if (known !== undefined) return known
  }
  let text = ""
  let arc: number | bigint = 0
  for (const octet of content) {
    // Arcs of four octets and less, nearly all, stay clear of BigInt.
    if (typeof arc === "number" && arc < 0x20_0000) arc = arc * 128 + (octet & 0x7f)
    else arc = BigInt(arc) * 128n + BigInt(octet & 0x7f)
    if (octet >= 0x80) continue
    text += text === "" ? firstTwoArcs(arc) : `.${arc}`
    arc = 0
  }
  return text
}

// The first number is 40 times the first arc, 0 to 2, plus the second.
function firstTwoArcs(number: number | bigint): string {
  if (typeof number === "bigint") return `2.${number - 80n}`
  return number < 80 ? `${Math.floor(number / 40)}.${number % 40}` : `2.${number - 80}`
}
