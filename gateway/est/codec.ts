import { randomBytes } from "node:crypto"
import { DER, derElement, derSequence, derUnsigned, fromHex } from "../../client/index.ts"
import { EstContentTypeError, EstRequestMalformedError } from "../errors/enrolment.ts"
import type { HttpAnswer } from "../http/route.ts"

const ID_SIGNED_DATA = fromHex("0x06092a864886f70d010702")
const ID_DATA = fromHex("0x06092a864886f70d010701")
const ID_EC_PUBLIC_KEY = fromHex("0x06072a8648ce3d0201")
const PRIME256V1 = fromHex("0x06082a8648ce3d030107")
const ECDSA_WITH_SHA256 = fromHex("0x06082a8648ce3d040302")
const CHALLENGE_PASSWORD = fromHex("0x06092a864886f70d010907")
const VERSION_1 = derUnsigned(Uint8Array.of(1))

/** Certificates as they are, in SignedData that nobody signed. RFC 5652, 5.1; RFC 7030, 4.1.3. */
export function certsOnly(certificates: readonly Uint8Array[]): Uint8Array {
  // A SET in DER is sorted. RFC 5652, 10.2.3 lets nobody read an order into it.
  const sorted = certificates.toSorted((a, b) => Buffer.compare(a, b))
  const signedData = derSequence(
    VERSION_1,
    derElement(DER.set),
    derSequence(ID_DATA),
    derElement(0xa0, ...sorted),
    derElement(DER.set),
  )
  return derSequence(ID_SIGNED_DATA, derElement(0xa0, signedData))
}

/**
 * What requests should have: a P-256 key and ECDSA with SHA-256, and a challengePassword where they must be linked to their
 * connection. RFC 7030, 3.5; RFC 8951, 3.3 (CsrAttrs).
 */
export function csrAttributes(linked: boolean): Uint8Array {
  const key = derSequence(ID_EC_PUBLIC_KEY, derElement(DER.set, PRIME256V1))
  return linked ? derSequence(CHALLENGE_PASSWORD, key, ECDSA_WITH_SHA256) : derSequence(key, ECDSA_WITH_SHA256)
}

/**
 * The octets behind a body's base64. White space is skipped (RFC 8951, 3.1); all else is strict, so that octets have one spelling.
 *
 * @throws EstRequestMalformedError, EstContentTypeError.
 */
export function readBase64Body(body: Uint8Array, contentType: string | undefined, expected: string): Uint8Array {
  if (contentType?.split(";")[0]?.trim().toLowerCase() !== expected) throw new EstContentTypeError({ expected })
  const text = Buffer.from(body)
    .toString("latin1")
    .replaceAll(/[ \t\r\n]/g, "")
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new EstRequestMalformedError({ reason: "its body is not base64" })
  }
  const octets = Buffer.from(text, "base64")
  if (octets.toString("base64") !== text)
    throw new EstRequestMalformedError({ reason: "its base64 ends in stray bits" })
  return new Uint8Array(octets)
}

/** Base64 on one line, which every client reads. RFC 8951, 3.1. */
export function base64Answer(contentType: string, octets: Uint8Array): HttpAnswer {
  return {
    status: 200,
    headers: {
      "Content-Type": contentType,
      "Content-Transfer-Encoding": "base64",
      "Cache-Control": "no-store",
    },
    body: base64(octets),
  }
}

/** A certificate as `simpleenroll` gives it. RFC 7030, 4.2.3. */
export function certificateAnswer(der: Uint8Array): HttpAnswer {
  return base64Answer("application/pkcs7-mime; smime-type=certs-only", certsOnly([der]))
}

/** A private key, as it is (PKCS #8) or encrypted for its device (CMS). */
export type GivenKey = { readonly kind: "plain" | "enveloped"; readonly octets: Uint8Array }

const KEY_TYPES: Readonly<Record<GivenKey["kind"], string>> = {
  plain: "application/pkcs8",
  enveloped: "application/pkcs7-mime; smime-type=server-generated-key",
}

/** A private key and its certificate, as `serverkeygen` gives them. RFC 7030, 4.4.2. */
export function keyAnswer(key: GivenKey, der: Uint8Array): HttpAnswer {
  const boundary = `fleetroot-${randomBytes(16).toString("hex")}`
  const part = (type: string, octets: Uint8Array): string =>
    `--${boundary}\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n` +
    `${Buffer.from(octets).toString("base64")}\r\n`
  const text =
    part(KEY_TYPES[key.kind], key.octets) +
    part("application/pkcs7-mime; smime-type=certs-only", certsOnly([der])) +
    `--${boundary}--\r\n`
  return {
    status: 200,
    headers: { "Content-Type": `multipart/mixed; boundary="${boundary}"`, "Cache-Control": "no-store" },
    body: new TextEncoder().encode(text),
  }
}

function base64(octets: Uint8Array): Uint8Array {
  return new TextEncoder().encode(Buffer.from(octets).toString("base64"))
}
