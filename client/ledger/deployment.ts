import { DeploymentInvalidError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"

/** A contract of a deployment: where it is and what code it must have (Keccak-256 of the runtime code). */
export type DeployedContract = { readonly address: Hex; readonly codeHash: Hex }

/** The contracts that a deployment has. */
export type ContractName = "access" | "manufacturers" | "devices" | "firmware"

/** What a client must know, and trust, of a ledger before it asks anything. Written to a JSON file by whoever deployed. */
export type Deployment = {
  readonly version: 1
  readonly chainId: number
  /** A block at or after the deployment: events are read from here on, and the chain must have this very block. */
  readonly block: { readonly number: number; readonly hash: Hex }
  readonly contracts: Readonly<Record<"access" | "manufacturers" | "devices", DeployedContract>> & {
    readonly firmware?: DeployedContract
  }
  /** Where to ask by default. */
  readonly rpc?: string
}

const HASH = /^0x[0-9a-f]{64}$/
const ADDRESS = /^0x[0-9a-f]{40}$/
const FIELDS = new Set(["version", "chainId", "block", "contracts", "rpc"])
const CONTRACTS = ["access", "manufacturers", "devices", "firmware"] as const

/**
 * Reads the text of a deployment file; format in docs/formats.md.
 *
 * @throws DeploymentInvalidError naming the field.
 */
export function parseDeployment(text: string): Deployment {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new DeploymentInvalidError({ field: "the file", expected: "JSON", found: JSON.stringify(text.slice(0, 40)) })
  }
  const root = asObject(json, "the file")
  for (const field of Object.keys(root)) {
    if (!FIELDS.has(field)) throw new DeploymentInvalidError({ field, expected: "absent", found: "an unknown field" })
  }
  if (root["version"] !== 1) {
    throw new DeploymentInvalidError({ field: "version", expected: "1", found: show(root["version"]) })
  }
  const block = asObject(root["block"], "block")
  const listed = asObject(root["contracts"], "contracts")
  for (const name of Object.keys(listed)) {
    if (!(CONTRACTS as readonly string[]).includes(name)) {
      throw new DeploymentInvalidError({ field: `contracts.${name}`, expected: "absent", found: "an unknown contract" })
    }
  }
  const rpc = root["rpc"]
  if (rpc !== undefined && typeof rpc !== "string") {
    throw new DeploymentInvalidError({ field: "rpc", expected: "a URL", found: show(rpc) })
  }
  return {
    version: 1,
    chainId: asCount(root["chainId"], "chainId", 1),
    block: { number: asCount(block["number"], "block.number", 0), hash: asHex(block["hash"], HASH, "block.hash") },
    contracts: {
      access: asContract(listed["access"], "access"),
      manufacturers: asContract(listed["manufacturers"], "manufacturers"),
      devices: asContract(listed["devices"], "devices"),
      ...(listed["firmware"] === undefined ? {} : { firmware: asContract(listed["firmware"], "firmware") }),
    },
    ...(rpc === undefined ? {} : { rpc }),
  }
}

/** The text of a deployment file. */
export function formatDeployment(deployment: Deployment): string {
  return `${JSON.stringify(deployment, null, 2)}\n`
}

function asContract(value: unknown, name: string): DeployedContract {
  const contract = asObject(value, `contracts.${name}`)
  return {
    address: asHex(contract["address"], ADDRESS, `contracts.${name}.address`),
    codeHash: asHex(contract["codeHash"], HASH, `contracts.${name}.codeHash`),
  }
}

function asObject(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DeploymentInvalidError({ field, expected: "an object", found: show(value) })
  }
  return value as Record<string, unknown>
}

function asCount(value: unknown, field: string, minimum: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < minimum) {
    throw new DeploymentInvalidError({ field, expected: `an integer from ${minimum}`, found: show(value) })
  }
  return value
}

function asHex(value: unknown, pattern: RegExp, field: string): Hex {
  if (typeof value !== "string" || !pattern.test(value.toLowerCase())) {
    throw new DeploymentInvalidError({ field, expected: String(pattern), found: show(value) })
  }
  return value.toLowerCase() as Hex
}

function show(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 80)
}
