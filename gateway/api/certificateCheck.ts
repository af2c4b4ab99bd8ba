import {
  FleetrootError,
  parseCertificate,
  readOneCertificate,
  type Certificate,
  type Hex,
  type CheckOptions,
  type ReceiptSource,
  type Verdict,
  type Verifier,
} from "../../client/index.ts"
import { LedgerSilentError } from "../errors/revocation.ts"
import { API_FAILURE } from "./failures.ts"

/** What checks whole certificates. */
export type CertificateCheck = {
  readonly verifier: Pick<Verifier, "checkCertificate">
  /** Where receipts may be. What is wrong with one counts as having none, and the answer tells. Default: nowhere. */
  readonly receipts?: ReceiptSource | undefined
  /** The index of manifests that were checked. Default: none. */
  readonly places?: CheckOptions["places"] | undefined
}

/** The body of a request is no certificate: `cause` says why. */
export class CertificateBody extends Error {
  override readonly cause: FleetrootError

  constructor(cause: FleetrootError) {
    super(cause.message)
    this.cause = cause
  }
}

/** @throws CertificateBody */
export function certificateIn(body: Uint8Array): Certificate {
  try {
    return parseCertificate(readOneCertificate(body))
  } catch (cause) {
    if (cause instanceof FleetrootError) throw new CertificateBody(cause)
    throw cause
  }
}

/**
 * The whole check of a certificate, in the words of `fleetroot status --json`.
 *
 * @throws StaleHeadError, ClockBehindError, LedgerSilentError.
 */
export async function checkedCertificate(
  { der }: Certificate,
  { verifier, receipts, places }: CertificateCheck,
): Promise<Record<string, unknown>> {
  let wrong: FleetrootError | undefined
  const receiptOf = async (credentialHash: Hex): ReturnType<ReceiptSource["receiptOf"]> => {
    try {
      return await receipts?.receiptOf(credentialHash)
    } catch (error) {
      if (!(error instanceof FleetrootError)) throw error
      wrong = error
      return undefined
    }
  }
  try {
    const options = { receipts: { receiptOf }, ...(places === undefined ? {} : { places }) }
    return verdictView(await verifier.checkCertificate(der, options), wrong)
  } catch (cause) {
    if (!(cause instanceof FleetrootError) || Object.hasOwn(API_FAILURE, cause.name)) throw cause
    throw new LedgerSilentError({ cause })
  }
}

function verdictView(verdict: Verdict, wrong: FleetrootError | undefined): Record<string, unknown> {
  const { fingerprint, credentialHash, status, reason, since, manufacturer, batch, block, staleSeconds } = verdict
  return {
    fingerprint,
    credentialHash,
    status,
    reason,
    since: since?.toISOString() ?? null,
    manufacturer: manufacturer === null ? null : { id: manufacturer.id, name: manufacturer.name },
    batch: batch === null ? null : { series: batch.series, root: batch.root, index: batch.index, size: batch.size },
    block: { ...block, timestamp: block.timestamp.toISOString() },
    staleSeconds,
    evidence: verdict.evidence.map(({ kind, detail }) => ({ kind, detail })),
    ...(wrong === undefined ? {} : { error: wrong.toJSON() }),
  }
}
