import { equalBytes } from "./hex.ts"

/** No sound key is longer; longer ones are not remembered. */
const MAXIMUM_OCTETS = 2048

/**
 * Remembers what was made from the last few public keys, so that an issuer's key is read once, not once a certificate.
 *
 * Keyed by the key's bytes, not by the array that holds them: an array may change behind our back.
 */
export class KeyCache<Value> {
  readonly #values = new Map<string, Value>()
  readonly #capacity: number
  // Most questions are about the key asked for last: comparing bytes is faster than making a name of them.
  #last: { spki: Uint8Array; value: Value } | undefined

  constructor(capacity = 256) {
    this.#capacity = capacity
  }

  /** What was made from `spki` before, else what `make` makes now. Nothing is kept when `make` throws. */
  get(spki: Uint8Array, make: () => Value): Value {
    if (spki.length > MAXIMUM_OCTETS) return make()
    if (this.#last !== undefined && equalBytes(this.#last.spki, spki)) return this.#last.value

    const name = nameOf(spki)
    const value = this.#values.get(name) ?? this.#keep(name, make())
    this.#last = { spki: spki.slice(), value }
    return value
  }

  /** Forgets `spki`: what was made from it turned out to be of no use. */
  forget(spki: Uint8Array): void {
    this.#last = undefined
    if (spki.length <= MAXIMUM_OCTETS) this.#values.delete(nameOf(spki))
  }

  // The oldest goes. Issuers are few; a flood of device keys costs no more than having no cache.
  #keep(name: string, value: Value): Value {
    if (this.#values.size >= this.#capacity) this.#values.delete(this.#values.keys().next().value as string)
    this.#values.set(name, value)
    return value
  }
}

function nameOf(spki: Uint8Array): string {
  return String.fromCharCode(...spki)
}
