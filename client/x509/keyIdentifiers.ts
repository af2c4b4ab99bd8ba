import { sha1 } from "@noble/hashes/legacy.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { concatBytes, toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { DerReader } from "../crypto/derReader.ts"
import { assertStrictDer, DER } from "../crypto/strictDer.ts"

/**
 * Every value that certificates of this key may carry as authorityKeyIdentifier by a published method, the commonest
 * first. A hint for finding the issuer, never evidence: SHA-1 occurs in it.
 *
 * RFC 5280 4.2.1.2: (1) SHA-1 of the BIT STRING's octets, (2) 0100 and the last 60 bits of it. RFC 7093 2: (1) to (3)
 * the leftmost 160 bits of SHA-256, -384 and -512 of the same; (4) SHA-256 of the SubjectPublicKeyInfo, whole or its
 * leftmost 160 bits.
 *
 * @throws {@link DerError} when `spki` is not a SubjectPublicKeyInfo.
 */
export function keyIdentifiersOf(spki: Uint8Array): Hex[] {
  const key = subjectPublicKey(spki)
  const shortHash = sha1(key)
  const wholeHash = sha256(spki)
  return [
    shortHash,
    concatBytes(Uint8Array.of(0x40 | ((shortHash[12] as number) & 0x0f)), shortHash.subarray(13)),
    sha256(key).subarray(0, 20),
    sha384(key).subarray(0, 20),
    sha512(key).subarray(0, 20),
    wholeHash,
    wholeHash.subarray(0, 20),
  ].map(toHex)
}

/** The octets of a SubjectPublicKeyInfo's BIT STRING. */
function subjectPublicKey(spki: Uint8Array): Uint8Array {
  assertStrictDer(spki)
  const fields = new DerReader(spki).enter(DER.sequence, "SubjectPublicKeyInfo")
  fields.read(DER.sequence, "AlgorithmIdentifier")
  const key = fields.bitString("subjectPublicKey")
  fields.finish()
  return key
}
