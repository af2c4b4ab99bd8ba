import type { Hex } from "../crypto/hex.ts"
import { ReleaseFieldError, ReleaseFileError } from "../errors/firmware.ts"
import { productName } from "./product.ts"
import { assertReleaseFields, MAX_RELEASE_SIGNATURES } from "./release.ts"
import type { ReleaseDraft, ReleaseSignature } from "./release.ts"

const FORMAT = "fleetroot-release-1"
/** The texts have 576 octets at most, each signature some 250. */
const MAX_CHARACTERS = 16_384
const FIELDS = [
  "format",
  "chainId",
  "registry",
  "manufacturerId",
  "product",
  "productName",
  "securityVersion",
  "imageDigest",
  "manifestDigest",
  "version",
  "uri",
  "signatures",
] as const
const SIGNATURE_FIELDS = ["keyId", "r", "s"] as const
const HASH = /^0x[0-9a-f]{64}$/

/** The file that travels between signers: docs/formats.md, "Release file". */
export function formatReleaseFile(draft: ReleaseDraft): string {
  const { product, manifestDigest, signatures } = draft
  const file = {
    format: FORMAT,
    chainId: String(draft.chainId),
    registry: draft.registry,
    manufacturerId: String(draft.manufacturerId),
    product,
    productName: productName(product) ?? null,
    securityVersion: String(draft.securityVersion),
    imageDigest: draft.imageDigest,
    manifestDigest: manifestDigest ?? null,
    version: draft.version,
    uri: draft.uri,
    signatures: signatures.map(({ keyId, r, s }) => ({ keyId, r, s })),
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/**
 * Reads such a file strictly: every field, no others, each in its one spelling. What the signatures are worth is for
 * {@link isSignedBy} and the ledger to say.
 *
 * @throws {@link ReleaseFileError} naming the field
 */
export function parseReleaseFile(text: string): ReleaseDraft {
  const file = fieldsOf(parsePlainJson(text), FIELDS, "the file")
  if (file["format"] !== FORMAT) refuse("format", JSON.stringify(FORMAT), file["format"])
  const product = patternOf(file, "product", HASH)
  if (file["productName"] !== (productName(product) ?? null)) {
    refuse("productName", JSON.stringify(productName(product) ?? null), file["productName"])
  }
  const draft: ReleaseDraft = {
    chainId: countOf(file, "chainId"),
    registry: patternOf(file, "registry", /^0x[0-9a-f]{40}$/),
    manufacturerId: countOf(file, "manufacturerId"),
    product,
    securityVersion: countOf(file, "securityVersion"),
    imageDigest: patternOf(file, "imageDigest", HASH),
    manifestDigest: file["manifestDigest"] === null ? undefined : patternOf(file, "manifestDigest", HASH),
    version: textOf(file, "version"),
    uri: textOf(file, "uri"),
    signatures: signaturesOf(file["signatures"]),
  }
  try {
    assertReleaseFields(draft)
  } catch (error) {
    if (!(error instanceof ReleaseFieldError)) throw error
    throw new ReleaseFileError({ field: error.field, expected: error.expected, found: error.found })
  }
  return draft
}

/** JSON in which nothing can hide: no key twice, no loose number, no escape that needs none. White space is free. */
function parsePlainJson(text: string): unknown {
  if (text.length > MAX_CHARACTERS) refuse("the file", `at most ${MAX_CHARACTERS} characters`, text.length)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    refuse("the file", "JSON", text.slice(0, 40))
  }
  // Of a key that stands there twice JSON.parse drops one; then the text is longer than what it means.
  const dense = text.replaceAll(/"(?:[^"\\]|\\.)*"|[ \t\r\n]+/g, (part) => (part.startsWith('"') ? part : ""))
  if (JSON.stringify(json) !== dense)
    refuse("the file", "each key once and everything in its plain spelling", "otherwise")
  return json
}

function signaturesOf(value: unknown): ReleaseSignature[] {
  if (!Array.isArray(value)) refuse("signatures", "a list", value)
  if (value.length > MAX_RELEASE_SIGNATURES) refuse("signatures", `at most ${MAX_RELEASE_SIGNATURES}`, value.length)
  const signatures = value.map((entry: unknown, i) => {
    const fields = fieldsOf(entry, SIGNATURE_FIELDS, `signatures[${i}]`)
    const part = (name: (typeof SIGNATURE_FIELDS)[number]): Hex => patternOf(fields, name, HASH)
    return { keyId: part("keyId"), r: part("r"), s: part("s") }
  })
  const twice = signatures.find(({ keyId }, i) => signatures.findIndex((other) => other.keyId === keyId) !== i)
  if (twice !== undefined) refuse("signatures", "one for each key", twice.keyId)
  return signatures
}

/** An object's own fields, exactly these. */
function fieldsOf(value: unknown, names: readonly string[], what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(what, "an object", value)
  const entries = Object.entries(value)
  const unknown = entries.find(([name]) => !names.includes(name))
  if (unknown !== undefined) refuse(unknown[0].slice(0, 40), "absent", "an unknown field")
  const missing = names.find((name) => !Object.hasOwn(value, name))
  if (missing !== undefined) refuse(missing, "there", "nothing")
  return value as Fields
}

type Fields = Readonly<Record<string, unknown>>

function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  return typeof value === "string" ? value : refuse(name, "a text", value)
}

function patternOf(fields: Fields, name: string, pattern: RegExp): Hex {
  const value = fields[name]
  return typeof value === "string" && pattern.test(value) ? (value as Hex) : refuse(name, String(pattern), value)
}

/** Integers travel as text, so that no reader rounds them. */
function countOf(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== "string" || !/^[1-9][0-9]{0,15}$/.test(value) || !Number.isSafeInteger(Number(value))) {
    return refuse(name, "a number above 0 as text", value)
  }
  return Number(value)
}

function refuse(field: string, expected: string, found: unknown): never {
  throw new ReleaseFileError({ field, expected, found: JSON.stringify(found)?.slice(0, 80) ?? "nothing" })
}
