import {
  fromHex,
  parseCertificate,
  readOneCertificate,
  type Certificate,
  type Hex,
  type KeySigner,
} from "../../client/index.ts"
import { IssuerUnfitError } from "../errors/revocation.ts"
import { givenResponder, mintedResponder } from "./responder.ts"
import type { Responder } from "./responder.ts"

/** A CA whose devices the gateway answers for. Whose key it is, is looked up on the ledger. */
export type Issuer = {
  readonly certificate: Certificate
  /** SHA-256 of its DER SubjectPublicKeyInfo; the name of its CRLs. */
  readonly keyId: Hex
  /** What its certificates and CRLs carry as authorityKeyIdentifier. */
  readonly keyIdentifier: Uint8Array
  /** Who signs OCSP answers; undefined if nobody does. */
  readonly responder: Responder | undefined
  /** Who signs CRLs: the issuer's own key; undefined if it is not here. */
  readonly signer: KeySigner | undefined
}

export type OpenIssuerParameters = {
  /** PEM or DER of the CA's certificate. */
  readonly certificate: string | Uint8Array
  /** Its key. Without it there are no CRLs, and OCSP needs a `responder`. */
  readonly signer?: KeySigner
  /** An OCSP responder that the CA named. Default: one is made with `signer`, and renewed by itself. */
  readonly responder?: { readonly certificate: string | Uint8Array; readonly signer: KeySigner }
  /** How long a responder certificate made here lives. Default: 86,400. */
  readonly responderLifetimeSeconds?: number
  /** The clock. Default: the platform's. */
  readonly now?: () => Date
}

/**
 * What the gateway needs of an issuer, checked: the parts belong together and may do what they are there for.
 *
 * @throws IssuerUnfitError, ResponderUnfitError, and the errors of certificates that are none.
 */
export async function openIssuer(parameters: OpenIssuerParameters): Promise<Issuer> {
  const { signer, responder, responderLifetimeSeconds } = parameters
  const now = Math.floor((parameters.now?.() ?? new Date()).getTime() / 1000)
  const certificate = parseCertificate(readOneCertificate(parameters.certificate))
  if (signer !== undefined && signer.keyId !== certificate.keyId) {
    throw new IssuerUnfitError({ reason: "its key is not that of its certificate" })
  }
  if (signer === undefined && responder === undefined) {
    throw new IssuerUnfitError({ reason: "there is neither its key nor a responder's" })
  }
  if (now > certificate.notAfter) throw new IssuerUnfitError({ reason: "its certificate has expired" })
  return {
    certificate,
    keyId: certificate.keyId,
    keyIdentifier: certificate.subjectKeyIdentifier ?? fromHex(certificate.keyId),
    signer,
    responder:
      responder === undefined
        ? signer && mintedResponder(certificate, signer, responderLifetimeSeconds)
        : await givenResponder(
            { certificate: parseCertificate(readOneCertificate(responder.certificate)), signer: responder.signer },
            certificate,
            now,
          ),
  }
}
