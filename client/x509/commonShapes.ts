import type { DerReader } from "../crypto/derReader.ts"
import { DerTagError, DerTruncatedError } from "../errors/x509.ts"
import { DER } from "../crypto/strictDer.ts"

/** AlgorithmIdentifier ::= SEQUENCE { OBJECT IDENTIFIER, ANY OPTIONAL }, RFC 5280, 4.1.1.2: the whole element. */
export function readAlgorithmIdentifier(fields: DerReader, what: string): Uint8Array {
  const start = fields.position
  const inside = fields.enter(DER.sequence, what)
  inside.read(DER.oid, `the OBJECT IDENTIFIER of ${what}`)
  const tag = inside.nextTag
  if (tag !== -1) inside.read(tag, "parameters")
  inside.finish()
  return fields.bytes.subarray(start, fields.position)
}

/**
 * Name ::= SEQUENCE OF SET OF SEQUENCE { OBJECT IDENTIFIER, ANY }, RFC 5280, 4.1.2.4: the whole element. Only the shape
 * is looked at: names are compared octet for octet and decide nothing.
 */
export function readName(fields: DerReader, what: string): Uint8Array {
  const start = fields.position
  const parts = fields.enter(DER.sequence, what)
  while (parts.nextTag !== -1) {
    const set = parts.enter(DER.set, `a RelativeDistinguishedName of ${what}`)
    do {
      const attribute = set.enter(DER.sequence, `an attribute of ${what}`)
      attribute.read(DER.oid, `an attribute's type in ${what}`)
      // ANY by the standard; all types defined for it are universal ones, and OpenSSL reads no others.
      const tag = attribute.nextTag
      if (tag === -1) throw new DerTruncatedError({ offset: attribute.position })
      if (tag >= 0x40) throw new DerTagError({ offset: attribute.position, expected: "a universal type", found: tag })
      attribute.read(tag, "a value")
      attribute.finish()
    } while (set.nextTag !== -1)
  }
  return fields.bytes.subarray(start, fields.position)
}

/** SubjectPublicKeyInfo ::= SEQUENCE { AlgorithmIdentifier, BIT STRING }, RFC 5280, 4.1.2.7: the whole element. */
export function readSubjectPublicKeyInfo(fields: DerReader, what: string): Uint8Array {
  const start = fields.position
  const inside = fields.enter(DER.sequence, what)
  readAlgorithmIdentifier(inside, "the key's algorithm")
  inside.bitString("subjectPublicKey")
  inside.finish()
  return fields.bytes.subarray(start, fields.position)
}
