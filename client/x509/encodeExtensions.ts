import { CertificateFieldError } from "../errors/x509.ts"
import { derElement, derOctetString, derSequence } from "../crypto/derWriter.ts"
import { DER } from "../crypto/strictDer.ts"
import type { CertificateExtension } from "./extensions.ts"

const TRUE = derElement(DER.boolean, Uint8Array.of(0xff))

/**
 * Extensions as a whole, in the given order. RFC 5280, 4.1.
 *
 * @throws {@link CertificateFieldError} when one stands twice or its OID is none.
 */
export function encodeExtensions(extensions: readonly CertificateExtension[]): Uint8Array {
  const seen = new Set<string>()
  const list = extensions.map(({ oid, critical, value }) => {
    if (seen.has(oid)) throw new CertificateFieldError({ field: "extension", value: oid, allowed: "each OID once" })
    seen.add(oid)
    // critical is FALSE by default, and defaults are not written (X.690, 11.5).
    return derSequence(derOid(oid), ...(critical ? [TRUE] : []), derOctetString(value))
  })
  return derSequence(...list)
}

/** A dotted OBJECT IDENTIFIER as DER. X.690, 8.19. */
function derOid(oid: string): Uint8Array {
  const arcs = /^[0-2](\.(0|[1-9]\d*))+$/.test(oid) ? oid.split(".").map(BigInt) : []
  const [first = 3n, second = 0n, ...others] = arcs
  // Below the first two arcs there are 40 places only.
  if (first > 2n || (first < 2n && second > 39n)) {
    throw new CertificateFieldError({ field: "extension", value: oid, allowed: "a dotted OID" })
  }
  return derElement(DER.oid, Uint8Array.from([first * 40n + second, ...others].flatMap(base128)))
}

/** Seven bits an octet, all but the last with the high bit set. */
function base128(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)]
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80)
  return octets
}
