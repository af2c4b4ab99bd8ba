import { toHex } from "../../crypto/hex.ts"

/** A text that two values share if and only if they are equal: plain data, with bytes, big integers and undefined in it. */
export function canonical(value: unknown): string {
  if (value === undefined) return "undefined"
  if (typeof value === "bigint") return `${value}n`
  if (value instanceof Uint8Array) return `bytes:${toHex(value)}`
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined)
    fields.sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`
  }
  return JSON.stringify(value)
}
