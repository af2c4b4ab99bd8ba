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

  constructor(capacity = 256) {
    this.#capacity = capacity
  }

  /** What was made from `spki` before, else what `make` makes now. Nothing is kept when `make` throws. */
  get(spki: Uint8Array, make: () => Value): Value {
    if (spki.length > MAXIMUM_OCTETS) return make()
    const name = nameOf(spki)
    const known = this.#values.get(name)
    if (known !== undefined) return known

    const value = make()
    // The oldest goes. Issuers are few; a flood of device keys costs no more than having no cache.
    if (this.#values.size >= this.#capacity) this.#values.delete(this.#values.keys().next().value as string)
    this.#values.set(name, value)
    return value
  }

  /** Forgets `spki`: what was made from it turned out to be of no use. */
  forget(spki: Uint8Array): void {
    if (spki.length <= MAXIMUM_OCTETS) this.#values.delete(nameOf(spki))
  }
}

function nameOf(spki: Uint8Array): string {
  return String.fromCharCode(...spki)
}
