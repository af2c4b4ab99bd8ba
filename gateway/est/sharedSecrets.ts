import type { Hex } from "../../client/index.ts"
import { readSecretFile } from "../../client/node/index.ts"
import { GatewayConfigError } from "../errors/gateway.ts"

const NAME = /^(?:[0-9a-f]{2}){1,255}$/i
/** AES keys of 128 and 256 bits. */
const SECRET = /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/i
const FIELD = "est.sharedSecrets"

/**
 * Reads the secrets that devices have, too, by the names that they call them by: a JSON object of hex by hex, as
 * `{"666163746f72792d37": "5a5a…"}`. What it found is not repeated: these are secrets.
 *
 * @throws GatewayConfigError, SecretFileUnreadableError, SecretFileExposedError
 */
export async function readSharedSecrets(path: string): Promise<ReadonlyMap<Hex, Uint8Array>> {
  const refuse = (expected: string, found: string, cause?: unknown): never => {
    throw new GatewayConfigError({ field: FIELD, expected, found, cause })
  }
  const text = await readSecretFile(path)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return refuse("a file of JSON", "something else")
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return refuse("a JSON object", "something else")
  const secrets = new Map<Hex, Uint8Array>()
  for (const [name, secret] of Object.entries(json)) {
    if (!NAME.test(name)) refuse("names of 1 to 255 octets in hex", "another name")
    if (typeof secret !== "string" || !SECRET.test(secret)) refuse("secrets of 16 or 32 octets in hex", "another value")
    secrets.set(`0x${name.toLowerCase()}`, new Uint8Array(Buffer.from(String(secret), "hex")))
  }
  return secrets
}
