import { GatewayConfigError } from "./errors/gateway.ts"

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** An object of settings: each is asked for by its name, and what was not asked for is an error in the end. */
export class Settings {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #prefix: string
  readonly #asked = new Set<string>()

  /** @throws GatewayConfigError when `value` is no object. */
  constructor(value: unknown, name = "") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new GatewayConfigError({
        field: name === "" ? "file" : name,
        expected: "a JSON object",
        found: shown(value),
      })
    }
    this.#values = value as Record<string, unknown>
    this.#prefix = name === "" ? "" : `${name}.`
  }

  /** Its full name in messages. */
  nameOf(field: string): string {
    return `${this.#prefix}${field}`
  }

  /** What kind of value stands there. */
  kindOf(field: string): "nothing" | "object" | "other" {
    const value = this.#take(field)
    if (value === undefined) return "nothing"
    return typeof value === "object" && value !== null && !Array.isArray(value) ? "object" : "other"
  }

  text(field: string, allowed = /[^]/, expected = "a text that is not empty"): string | undefined {
    const value = this.#take(field)
    if (value === undefined) return undefined
    if (typeof value === "string" && value !== "" && allowed.test(value)) return value
    return this.refuse(field, expected, value)
  }

  /** The same, where it must be there. */
  requiredText(field: string, expected: string): string {
    return this.text(field, /[^]/, expected) ?? this.refuse(field, expected, undefined)
  }

  number(field: string, minimum: number, maximum: number): number | undefined {
    const value = this.#take(field)
    if (value === undefined) return undefined
    if (typeof value === "number" && value >= minimum && value <= maximum) return value
    return this.refuse(field, `a number from ${minimum} to ${maximum}`, value)
  }

  integer(field: string, minimum: number, maximum: number): number | undefined {
    const value = this.#take(field)
    if (value === undefined) return undefined
    if (Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= maximum) return Number(value)
    return this.refuse(field, `an integer from ${minimum} to ${maximum}`, value)
  }

  flag(field: string): boolean | undefined {
    const value = this.#take(field)
    if (value === undefined || typeof value === "boolean") return value
    return this.refuse(field, "true or false", value)
  }

  oneOf<const Word extends string>(field: string, words: readonly Word[]): Word | undefined {
    const value = this.#take(field)
    if (value === undefined) return undefined
    return words.find((word) => word === value) ?? this.refuse(field, `one of ${words.join(", ")}`, value)
  }

  /** A list of texts; one text stands for a list of one. */
  texts(field: string, expected: string): readonly string[] | undefined {
    const value = this.#take(field)
    if (value === undefined) return undefined
    const list: unknown = typeof value === "string" ? [value] : value
    if (Array.isArray(list) && list.every((one) => typeof one === "string" && one !== "")) return list as string[]
    return this.refuse(field, expected, value)
  }

  integers(field: string, minimum: number, maximum: number): readonly number[] | undefined {
    const value = this.#take(field)
    if (value === undefined) return undefined
    const isOne = (one: unknown): one is number => {
      return Number.isSafeInteger(one) && Number(one) >= minimum && Number(one) <= maximum
    }
    if (Array.isArray(value) && value.every(isOne)) return value
    return this.refuse(field, `a list of integers from ${minimum} to ${maximum}`, value)
  }

  /** A part of its own; undefined where it is not there. */
  section<T>(field: string, read: (section: Settings) => T): T | undefined {
    const value = this.#take(field)
    if (value === undefined) return undefined
    const section = new Settings(value, this.nameOf(field))
    const result = read(section)
    section.finish()
    return result
  }

  /** A list of parts. */
  sections<T>(field: string, read: (section: Settings) => T): readonly T[] {
    const value = this.#take(field)
    if (value === undefined) return []
    if (!Array.isArray(value)) return this.refuse(field, "a list", value)
    return value.map((one, i) => {
      const section = new Settings(one, `${this.nameOf(field)}[${i}]`)
      const result = read(section)
      section.finish()
      return result
    })
  }

  /** @throws GatewayConfigError, whose `found` holds no secret: only short numbers and words are repeated. */
  refuse(field: string, expected: string, found: unknown): never {
    throw new GatewayConfigError({ field: this.nameOf(field), expected, found: shown(found) })
  }

  /** @throws GatewayConfigError naming a setting that nobody asked for. */
  finish(): void {
    for (const field of Object.keys(this.#values)) {
      if (this.#asked.has(field)) continue
      const known = [...this.#asked].sort().join(", ")
      throw new GatewayConfigError({ field: this.nameOf(field), expected: `absent (known: ${known})`, found: "set" })
    }
  }

  #take(field: string): unknown {
    this.#asked.add(field)
    return Object.hasOwn(this.#values, field) ? this.#values[field] : undefined
  }
}

/** Addresses may hold passwords, and a key may be pasted where a path should be: texts are not repeated. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing"
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value)
  if (typeof value === "string") return value === "" ? "an empty text" : `a text of ${value.length} characters`
  return Array.isArray(value) ? "a list" : "an object"
}
