import { createDecipheriv, pbkdf2, scrypt, timingSafeEqual } from "node:crypto"
import { promisify } from "node:util"
import { concatBytes, fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { keccak256 } from "../crypto/keccak256.ts"
import { AccountKeyInvalidError, KeystoreMalformedError, PassphraseWrongError } from "../errors/node.ts"
import type { Payer } from "../ledger/writer.ts"
import { readSecretFile } from "./secretFile.ts"

type Fields = Record<string, unknown>
type DeriveKey = (passphrase: string) => Promise<Uint8Array>

const pbkdf2Async = promisify(pbkdf2)
const scryptAsync = promisify<string, Uint8Array, number, object, Buffer>(scrypt)

/** geth's strongest setting is N = 2^18, r = 8: 256 MiB. Files that ask for more are an attack on memory. */
const MAX_SCRYPT_BYTES = 512 * 1024 * 1024
const MAX_PBKDF2_ROUNDS = 10_000_000

/**
 * The account in an encrypted key file: Web3 Secret Storage, version 3 (geth, ethers, cast and clef write it).
 *
 * @throws SecretFileExposedError, SecretFileUnreadableError, KeystoreMalformedError, PassphraseWrongError
 */
export async function payerFromKeystore(path: string, passphrase: string): Promise<Payer> {
  const crypto = cryptoSection(await readSecretFile(path))
  const cipherText = hexField(crypto, "ciphertext", 32)
  const iv = hexField(objectField(crypto, "cipherparams"), "iv", 16)
  const expectedMac = hexField(crypto, "mac", 32)
  const key = await keyDerivation(crypto)(passphrase)

  const mac = keccak256(concatBytes(key.subarray(16, 32), cipherText))
  if (!timingSafeEqual(mac, expectedMac)) throw new PassphraseWrongError({ path })

  const decipher = createDecipheriv("aes-128-ctr", key.subarray(0, 16), iv)
  const privateKey = Buffer.concat([decipher.update(cipherText), decipher.final()])
  return payerFromPrivateKey(`0x${privateKey.toString("hex")}`, path)
}

/**
 * The account of a private key; `where` names its source in errors.
 *
 * @throws AccountKeyInvalidError, which never shows the key.
 */
export async function payerFromPrivateKey(privateKey: string, where: string): Promise<Payer> {
  if (!/^0x[0-9a-fA-F]{64}$/.test(privateKey)) throw new AccountKeyInvalidError({ where })
  // Loaded only where something is signed: reading programs start faster.
  const { privateKeyToAccount } = await import("viem/accounts")
  try {
    return privateKeyToAccount(privateKey.toLowerCase() as Hex)
  } catch {
    // Zero, or not below the curve's order. The library's own message may quote the key.
    throw new AccountKeyInvalidError({ where })
  }
}

function cryptoSection(text: string): Fields {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new KeystoreMalformedError({ field: "text", expected: "JSON" })
  }
  if (!isObject(json)) throw new KeystoreMalformedError({ field: "text", expected: "a JSON object" })
  if (json["version"] !== 3) throw new KeystoreMalformedError({ field: "version", expected: "3" })
  // Early geth wrote "Crypto".
  const crypto = objectField(json, Object.hasOwn(json, "crypto") ? "crypto" : "Crypto")
  if (crypto["cipher"] !== "aes-128-ctr") throw new KeystoreMalformedError({ field: "cipher", expected: "aes-128-ctr" })
  return crypto
}

function keyDerivation(crypto: Fields): DeriveKey {
  const parameters = objectField(crypto, "kdfparams")
  const salt = saltField(parameters)
  if (parameters["dklen"] !== 32) throw new KeystoreMalformedError({ field: "kdfparams.dklen", expected: "32" })
  if (crypto["kdf"] === "scrypt") {
    const N = countField(parameters, "n", 2, 2 ** 24)
    const r = countField(parameters, "r", 1, 1024)
    const p = countField(parameters, "p", 1, 16)
    // RFC 7914, 2: N is a power of two below 2^(128 r / 8).
    if ((N & (N - 1)) !== 0 || N >= 2 ** (16 * r) || 128 * N * r > MAX_SCRYPT_BYTES) {
      const expected = "a power of two below 2^(16 r) that needs at most 512 MiB"
      throw new KeystoreMalformedError({ field: "kdfparams.n", expected })
    }
    return (passphrase) =>
      scryptAsync(passphrase.normalize("NFKC"), salt, 32, { N, r, p, maxmem: 130 * (N + p + 2) * r })
  }
  if (crypto["kdf"] === "pbkdf2" && parameters["prf"] === "hmac-sha256") {
    const rounds = countField(parameters, "c", 1, MAX_PBKDF2_ROUNDS)
    return (passphrase) => pbkdf2Async(passphrase.normalize("NFKC"), salt, rounds, 32, "sha256")
  }
  throw new KeystoreMalformedError({ field: "kdf", expected: "scrypt, or pbkdf2 with hmac-sha256" })
}

function saltField(parameters: Fields): Uint8Array {
  const salt = parameters["salt"]
  if (typeof salt !== "string" || !/^([0-9a-fA-F]{2}){8,64}$/.test(salt)) {
    throw new KeystoreMalformedError({ field: "kdfparams.salt", expected: "8 to 64 octets in hex" })
  }
  return fromHex(`0x${salt}`)
}

function hexField(fields: Fields, name: string, length: number): Uint8Array {
  const value = fields[name]
  const digits = typeof value === "string" ? value.replace(/^0x/, "") : ""
  if (digits.length !== length * 2 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw new KeystoreMalformedError({ field: name, expected: `${length} octets in hex` })
  }
  return fromHex(`0x${digits}`)
}

function countField(fields: Fields, name: string, minimum: number, maximum: number): number {
  const value = fields[name]
  if (typeof value !== "number" || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw new KeystoreMalformedError({
      field: `kdfparams.${name}`,
      expected: `an integer from ${minimum} to ${maximum}`,
    })
  }
  return value
}

function objectField(fields: Fields, name: string): Fields {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (!isObject(value)) throw new KeystoreMalformedError({ field: name, expected: "an object" })
  return value
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
