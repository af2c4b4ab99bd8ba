import { ImageTrailingDataError } from "../errors/firmware.ts"

/** What ends a slot that MCUboot shall swap or boot: by alignment of 8, and of more (which then stands in the first two bytes). */
const MAGIC = [0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80]
const ALIGNED_MAGIC = [0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a]
const ALIGNMENTS = [16, 32]

/** Where `imgtool --confirm` puts image_ok, counted from the end: for alignments of 8, 16 and 32. */
const IMAGE_OK = [24, 32, 64]
const IMAGE_OK_SET = 0x01
const MAGIC_BYTES = 16
const LONGEST_TRAILER = 64

/** Checks that what lies behind an image is a slot's padding: erased flash up to the end or up to MCUboot's trailer. */
export class SlotPadding {
  /** Bytes that were judged. */
  #judged: number
  /** The last bytes so far, which may turn out to be the trailer. */
  #held: Uint8Array = new Uint8Array(0)
  #erased: number | undefined

  constructor(offset: number) {
    this.#judged = offset
  }

  /** @throws ImageTrailingDataError */
  update(part: Uint8Array): void {
    const joined = new Uint8Array(this.#held.length + part.length)
    joined.set(this.#held)
    joined.set(part, this.#held.length)
    const sure = Math.max(0, joined.length - LONGEST_TRAILER)
    this.#assertErased(joined.subarray(0, sure))
    this.#held = joined.slice(sure)
  }

  /** @throws ImageTrailingDataError */
  finish(): void {
    const rest = this.#held
    const end = rest.length
    if (!endsWithMagic(rest)) return this.#assertErased(rest)

    const confirmed = IMAGE_OK.find((distance) => rest[end - distance] === IMAGE_OK_SET)
    const padding = rest.slice(0, end - MAGIC_BYTES)
    if (confirmed !== undefined) padding[end - confirmed] = this.#erased ?? 0xff
    this.#assertErased(padding)
  }

  #assertErased(bytes: Uint8Array): void {
    const [first] = bytes
    if (first === undefined) return
    if (first !== 0xff && first !== 0x00) throw new ImageTrailingDataError({ offset: this.#judged })
    const erased = (this.#erased ??= first)
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== erased) throw new ImageTrailingDataError({ offset: this.#judged + i })
    }
    this.#judged += bytes.length
  }
}

function endsWithMagic(bytes: Uint8Array): boolean {
  if (bytes.length < MAGIC_BYTES) return false
  const end = bytes.subarray(bytes.length - MAGIC_BYTES)
  if (MAGIC.every((byte, i) => end[i] === byte)) return true
  const alignment = (end[0] as number) + 256 * (end[1] as number)
  return ALIGNMENTS.includes(alignment) && ALIGNED_MAGIC.every((byte, i) => end[i + 2] === byte)
}
