import { defaultCrypto, equalBytes, FleetrootError, parseCsr, DER, verifyCsr } from "../../client/index.ts"
import {
  CsrExtensionRefusedError,
  CsrKeyUnfitError,
  CsrSignatureInvalidError,
  EstRequestMalformedError,
} from "../errors/enrolment.ts"

type Csr = ReturnType<typeof parseCsr>

/** A certificate request whose signature was checked and that asks for nothing that no device gets. */
export type FitCsr = {
  readonly csr: Csr
  /** Value of the subjectAltName extension that it asks for. */
  readonly alternativeNames: Uint8Array | undefined
}

export const SUBJECT_ALT_NAME = "2.5.29.17"
const BASIC_CONSTRAINTS = "2.5.29.19"
const KEY_USAGE = "2.5.29.15"

/**
 * Reads a request and checks that whoever made it has the key, that the key is one for a device, and that it asks to be no CA.
 *
 * Of the extensions that it asks for the alternative names count, and what would make it a CA is refused; the profile decides
 * about all others.
 *
 * @throws EstRequestMalformedError, CsrSignatureInvalidError, CsrKeyUnfitError, CsrExtensionRefusedError.
 */
export async function readFitCsr(der: Uint8Array): Promise<FitCsr> {
  const csr = readCsr(der)
  if (csr.keyAlgorithm === undefined) {
    throw new CsrKeyUnfitError({ reason: "it is none of P-256, P-384, RSA and Ed25519 in the usual encoding" })
  }
  const alternativeNames = wanted(csr)
  let proven: boolean
  try {
    proven = await verifyCsr(csr, defaultCrypto())
  } catch (cause) {
    if (cause instanceof FleetrootError) throw new CsrKeyUnfitError({ reason: "it is weak or unsound", cause })
    throw cause
  }
  if (!proven) throw new CsrSignatureInvalidError()
  return { csr, alternativeNames }
}

function readCsr(der: Uint8Array): Csr {
  try {
    return parseCsr(der)
  } catch (cause) {
    if (cause instanceof FleetrootError) throw new EstRequestMalformedError({ reason: cause.message, cause })
    throw cause
  }
}

function wanted({ requestedExtensions }: Csr): Uint8Array | undefined {
  const seen = new Set<string>()
  for (const { oid, value } of requestedExtensions) {
    if (seen.has(oid)) throw new CsrExtensionRefusedError({ reason: `extension ${oid} stands there twice` })
    seen.add(oid)
    if (oid === BASIC_CONSTRAINTS && asksForCa(value)) throw new CsrExtensionRefusedError({ reason: "to be a CA" })
    if (oid === KEY_USAGE && asksToCertify(value)) {
      throw new CsrExtensionRefusedError({ reason: "a key usage of a CA (keyCertSign, cRLSign)" })
    }
  }
  return requestedExtensions.find(({ oid }) => oid === SUBJECT_ALT_NAME)?.value
}

/** Anything but an empty SEQUENCE, or one that says no, asks. RFC 5280, 4.2.1.9. */
function asksForCa(value: Uint8Array): boolean {
  return !equalBytes(value, Uint8Array.of(0x30, 0)) && !equalBytes(value, Uint8Array.of(0x30, 3, 1, 1, 0))
}

/** Bits 5 and 6 of the BIT STRING; what is none asks too. RFC 5280, 4.2.1.3. */
function asksToCertify(value: Uint8Array): boolean {
  return value[0] !== DER.bitString || value.length < 4 || ((value[3] ?? 0) & 0x06) !== 0
}
