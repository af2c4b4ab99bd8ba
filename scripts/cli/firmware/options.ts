import { UsageError } from "../cliError.ts"
import { parseInteger } from "../options/parse.ts"

/** The highest security version that the ledger takes. */
const MOST = 2 ** 40 - 1

/** Options that several firmware commands have: flags and what they say. */
export const FIRMWARE_OPTIONS = {
  manufacturer: ["--manufacturer <id>", "whose firmware it is"],
  product: ["--product <name>", "the product: a name of up to 32 octets, or those octets as 0x and 64 digits"],
  manifest: ["--manifest <file>", "SUIT envelope that the image is a component of"],
  part: ["--part <file>", "another component of the manifest; may be given again"],
} as const

/** A parser of security versions, for commander. */
export function securityVersion(what: string, minimum = 1): (text: string) => number {
  return (text) => parseInteger(text, what, minimum, MOST)
}

/** Collects an option that may be given again. */
export function collectFile(file: string, earlier: readonly string[] = []): readonly string[] {
  if (earlier.includes(file)) throw new UsageError(`${JSON.stringify(file)} was given twice.`)
  return [...earlier, file]
}
