import { concatBytes, fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { encodeParameters } from "./abi/encodeParameters.ts"
import { keccakHex, keccakText } from "./abi/keccakHex.ts"

/**
 * The statements that P-256 keys sign for the ledger (docs/formats.md): ECDSA-SHA256 over the 66 octets
 * `0x19 0x01 || EIP-712 domain separator || struct hash`.
 */

const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"

export type StatementDomain = { readonly chainId: number | bigint; readonly verifyingContract: Hex }

/** Domain names, one for each registry. */
export const STATEMENT_DOMAIN = {
  manufacturers: "Fleetroot ManufacturerRegistry",
  devices: "Fleetroot DeviceRegistry",
  firmware: "Fleetroot FirmwareRegistry",
} as const

/** Purposes by their number in the contracts. */
export const KEY_PURPOSE_NUMBER = { issuer: 1, openIssuer: 2, firmware: 3 } as const

/** Proof of possession of a key, made by that key. */
export function keyPossessionStatement(
  domain: StatementDomain,
  statement: { manufacturerId: number; keyId: Hex; purpose: keyof typeof KEY_PURPOSE_NUMBER },
): Uint8Array {
  return preimage(
    "manufacturers",
    domain,
    "KeyPossession(uint32 manufacturerId,bytes32 keyId,uint8 purpose)",
    ["uint32", "bytes32", "uint8"],
    [statement.manufacturerId, statement.keyId, KEY_PURPOSE_NUMBER[statement.purpose]],
  )
}

/** The issuer key's word for a batch. */
export function batchRegistrationStatement(
  domain: StatementDomain,
  statement: {
    manufacturerId: number
    series: number
    root: Hex
    size: number
    keyId: Hex
    notAfter: number
    kind: "x509" | "rawPublicKey"
  },
): Uint8Array {
  return preimage(
    "devices",
    domain,
    "BatchRegistration(uint32 manufacturerId,uint32 series,bytes32 root,uint32 size,bytes32 keyId,uint40 notAfter,uint8 kind)",
    ["uint32", "uint32", "bytes32", "uint32", "bytes32", "uint40", "uint8"],
    [
      statement.manufacturerId,
      statement.series,
      statement.root,
      statement.size,
      statement.keyId,
      statement.notAfter,
      statement.kind === "x509" ? 0 : 1,
    ],
  )
}

/** A raw public key's own word that it must not be used any more. */
export function selfRevocationStatement(
  domain: StatementDomain,
  statement: { manufacturerId: number; credentialHash: Hex; reason: number },
): Uint8Array {
  return preimage(
    "devices",
    domain,
    "SelfRevocation(uint32 manufacturerId,bytes32 credentialHash,uint8 reason)",
    ["uint32", "bytes32", "uint8"],
    [statement.manufacturerId, statement.credentialHash, statement.reason],
  )
}

/** The 66 octets of any statement; `types` are static ABI types, in the order of `type`. */
export function preimage(
  registry: keyof typeof STATEMENT_DOMAIN,
  domain: StatementDomain,
  type: string,
  types: readonly string[],
  values: readonly unknown[],
): Uint8Array {
  const separator = keccakHex(
    encodeParameters(
      [{ type: "bytes32" }, { type: "bytes32" }, { type: "bytes32" }, { type: "uint256" }, { type: "address" }],
      [
        keccakText(DOMAIN_TYPE),
        keccakText(STATEMENT_DOMAIN[registry]),
        keccakText("1"),
        BigInt(domain.chainId),
        domain.verifyingContract,
      ],
    ),
  )
  const struct = keccakHex(
    encodeParameters([{ type: "bytes32" }, ...types.map((name) => ({ type: name }))], [keccakText(type), ...values]),
  )
  return concatBytes(Uint8Array.of(0x19, 0x01), fromHex(separator), fromHex(struct))
}
