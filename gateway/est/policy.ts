import { equalBytes, FleetrootError, type Hex } from "../../client/index.ts"
import {
  ClientCertificateRefusedError,
  CsrSubjectRefusedError,
  EnrolmentError,
  IssuerNotCurrentError,
  CsrKeyUnfitError,
} from "../errors/enrolment.ts"
import { freshFleet } from "../issuers/freshFleet.ts"
import type { Requester } from "./authenticate.ts"
import type { EstContext, EstLabel } from "./context.ts"
import { SUBJECT_ALT_NAME } from "./csr.ts"
import type { FitCsr } from "./csr.ts"
import { nameHashes, readSubject } from "./names.ts"

/** What a certificate may say of who asks for it. */
export type GrantedNames = {
  /** Name in DER. */
  readonly subject: Uint8Array
  readonly alternativeNames: Uint8Array | undefined
  /** A hash for each name. */
  readonly hashes: readonly Hex[]
  /** Whether the requester is known to be the one whom the names belong to. */
  readonly owned: boolean
}

/**
 * The names that a requester gets.
 *
 * Who has a certificate gets its names and no others, for a first enrolment as for a renewal; the request says the same ones, or
 * none. Who has a token for a subject gets that one. Who has any other token gets a subject that is nobody's yet. Alternative names
 * are for those that have them in their certificate, and for tokens where the label allows it.
 *
 * @throws CsrSubjectRefusedError
 */
export function grantNames(requester: Requester, { csr, alternativeNames }: FitCsr, label: EstLabel): GrantedNames {
  try {
    return requester.kind === "token"
      ? byToken(requester.token.subject, csr.subjectDer, alternativeNames, label)
      : byCertificate(requester.certificate, csr.subjectDer, alternativeNames, label)
  } catch (cause) {
    // A Name of an odd shape.
    if (cause instanceof EnrolmentError || !(cause instanceof FleetrootError)) throw cause
    throw new CsrSubjectRefusedError({ reason: "they cannot be read", cause })
  }
}

function byCertificate(
  { subjectDer, extensions }: Extract<Requester, { kind: "certificate" }>["certificate"],
  wanted: Uint8Array,
  wantedNames: Uint8Array | undefined,
  label: EstLabel,
): GrantedNames {
  const asked = readSubject(wanted)
  const own = readSubject(subjectDer)
  if (asked !== "" && asked !== own) {
    throw new CsrSubjectRefusedError({ reason: "the subject is not that of the client certificate" })
  }
  const ownNames = extensions.find(({ oid }) => oid === SUBJECT_ALT_NAME)?.value
  if (wantedNames !== undefined && (ownNames === undefined || !equalBytes(wantedNames, ownNames))) {
    throw new CsrSubjectRefusedError({ reason: "the alternative names are not those of the client certificate" })
  }
  const hashes = nameHashes(label.signer.keyId, own, ownNames)
  if (hashes.length === 0) throw new CsrSubjectRefusedError({ reason: "the client certificate has no name" })
  return { subject: subjectDer, alternativeNames: ownNames, hashes, owned: true }
}

function byToken(
  bound: string | undefined,
  wanted: Uint8Array,
  alternativeNames: Uint8Array | undefined,
  label: EstLabel,
): GrantedNames {
  const asked = readSubject(wanted)
  if (bound !== undefined && asked !== bound) {
    throw new CsrSubjectRefusedError({ reason: "the subject is not the one that the token is for" })
  }
  if (alternativeNames !== undefined && label.alternativeNames !== true) {
    throw new CsrSubjectRefusedError({ reason: "alternative names are not given here" })
  }
  const hashes = nameHashes(label.signer.keyId, asked, alternativeNames)
  if (hashes.length === 0) throw new CsrSubjectRefusedError({ reason: "it has no name" })
  // A token for one subject says nothing about who owns alternative names.
  const owned = bound !== undefined && alternativeNames === undefined
  return { subject: wanted, alternativeNames, hashes, owned }
}

/** A renewal follows a certificate of the same issuer. @throws ClientCertificateRefusedError */
export function assertRenewable(requester: Requester, label: EstLabel): void {
  if (requester.kind === "token") throw new ClientCertificateRefusedError({ reason: "a renewal needs one" })
  const { verdict, enrolment, certificate } = requester
  const here = enrolment === undefined || enrolment.window.issuerKeyId === label.signer.keyId
  const byIssuer = equalBytes(certificate.issuerDer, label.certificate.subjectDer)
  if (here && byIssuer && verdict.batch !== null && verdict.manufacturer?.id === label.sequencer.manufacturerId) return
  throw new ClientCertificateRefusedError({ reason: "another issuer made it; use simpleenroll" })
}

/**
 * When a certificate that is issued now ends, in Unix seconds.
 *
 * @throws StaleHeadError, ClockBehindError, LedgerSilentError when nobody can say how the issuer stands.
 * @throws IssuerNotCurrentError when it may not issue; CsrKeyUnfitError for a device key that is revoked.
 */
export function assertIssuable(
  { replica, now, maxAgeSeconds }: EstContext,
  label: EstLabel,
  deviceKeyId: Hex,
): { readonly now: number; readonly latestEnd: number } {
  const { signer, sequencer, certificate } = label
  const source = { ...replica, head: replica.head, settled: replica.settled, onChange: () => () => undefined }
  const fresh = freshFleet({
    replica: source,
    issuers: [],
    ...(now === undefined ? {} : { now }),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
  })
  const { manufacturerId } = sequencer
  const refuse = (reason: string): IssuerNotCurrentError =>
    new IssuerNotCurrentError({ issuerKeyId: signer.keyId, reason })
  const key = fresh.head.keyById(signer.keyId)
  if (key === undefined || key.manufacturerId !== manufacturerId) throw refuse("it is not its manufacturer's key")
  if (key.purpose !== "issuer") throw refuse(`its purpose is ${key.purpose}`)
  if (key.revokedAt !== undefined || key.compromisedSince !== undefined) throw refuse("it is retired or compromised")
  if (fresh.now < key.notBefore || fresh.now > key.notAfter) throw refuse("it is outside its validity")
  if (fresh.head.manufacturer(manufacturerId)?.status !== "active") throw refuse("its manufacturer is not active")
  if (fresh.head.record(manufacturerId, deviceKeyId).mark !== "none") {
    throw new CsrKeyUnfitError({ reason: "it is revoked or on hold" })
  }
  return { now: fresh.now, latestEnd: Math.min(certificate.notAfter, key.notAfter) }
}
