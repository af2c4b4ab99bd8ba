import { NumberColumn } from "./columns.ts"

const MAXIMUM_OCTETS = 4096
const LENGTH_OCTETS = 2
const ENCODER = new TextEncoder()
// A name may begin with what a decoder takes for a byte order mark.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true })

/**
 * Remembers where each row came from in little memory: a million lines of one file take 8 MB, a million file names 8 MB
 * and their letters. A JavaScript string each would take 60 to 90 MB.
 */
export class SourceNames {
  readonly #starts = new NumberColumn("uint32")
  /** The line; 0: none. */
  readonly #lines = new NumberColumn("uint32")
  /** Names, each behind its length. */
  #names = new Uint8Array(4096)
  #used = 0
  #last: { name: string; start: number } | undefined

  add(source: string): void {
    const { name, line } = splitLine(source)
    if (this.#last?.name !== name) this.#last = { name, start: this.#store(name) }
    this.#starts.push(this.#last.start)
    this.#lines.push(line)
  }

  at(entry: number): string {
    const start = this.#starts.at(entry)
    const length = ((this.#names[start] as number) << 8) | (this.#names[start + 1] as number)
    const from = start + LENGTH_OCTETS
    const name = DECODER.decode(this.#names.subarray(from, from + length))
    const line = this.#lines.at(entry)
    return line === 0 ? name : `${name}:${line}`
  }

  #store(name: string): number {
    const bytes = ENCODER.encode(name).subarray(0, MAXIMUM_OCTETS)
    const start = this.#used
    const end = start + LENGTH_OCTETS + bytes.length
    if (end > this.#names.length) {
      const larger = new Uint8Array(Math.max(end, this.#names.length * 2))
      larger.set(this.#names)
      this.#names = larger
    }
    this.#names[start] = bytes.length >> 8
    this.#names[start + 1] = bytes.length & 0xff
    this.#names.set(bytes, start + LENGTH_OCTETS)
    this.#used = end
    return start
  }
}

/** "fleet.csv:17" is line 17 of fleet.csv; anything else is a name. */
function splitLine(source: string): { name: string; line: number } {
  const colon = source.lastIndexOf(":")
  const digits = source.slice(colon + 1)
  if (colon < 0 || !/^[1-9][0-9]{0,8}$/.test(digits)) return { name: source, line: 0 }
  return { name: source.slice(0, colon), line: Number(digits) }
}
