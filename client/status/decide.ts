import type { Batch, BitRevocation, CredentialRecord, LedgerKey, Manufacturer } from "../ledger/ledger.ts"
import { revocationReason } from "./verdict.ts"
import type { DeviceStatus, RefusalReason, RevocationReason } from "./verdict.ts"

/** Everything that the standing of a genuine, anchored credential depends on. Times are Unix seconds. */
export type StandingFacts = {
  /** The time that the question is about. */
  readonly time: number
  readonly manufacturer: Manufacturer
  readonly issuerKey: LedgerKey
  /** When the credential was anchored: its batch's registration, or its record's. */
  readonly registeredAt: number
  /** Whether the anchor stands in a block that is final enough. */
  readonly settled: boolean
  /** The batch; undefined for a credential with a record of its own. */
  readonly batch: Batch | undefined
  /** The status bit's revocation; `undefined` while the bit is clear. */
  readonly bit: Partial<BitRevocation> | undefined
  readonly credentialRecord: CredentialRecord
  readonly deviceKeyRecord: CredentialRecord
  readonly notBefore: number
  readonly notAfter: number
  /** When the anchor ends, inclusive; undefined if it does not. */
  readonly anchorNotAfter: number | undefined
}

export type Decision = {
  readonly status: DeviceStatus
  readonly reason: RevocationReason | RefusalReason | null
  readonly detail: string
  /** Unix seconds. */
  readonly since: number | null
}

/**
 * The one place where facts become a status. Revoked wins over held, held over everything else, and `good` is what is left
 * when nothing speaks against it. The contract's `statusOf` decides alike.
 */
export function decide(facts: StandingFacts): Decision {
  return revoked(facts) ?? held(facts) ?? doubtful(facts) ?? outOfTime(facts) ?? good(facts)
}

function revoked(facts: StandingFacts): Decision | undefined {
  const { issuerKey, registeredAt, batch, bit, credentialRecord, deviceKeyRecord } = facts
  const since = issuerKey.compromisedSince
  // Anchored in the second of the compromise: void.
  if (since !== undefined && registeredAt >= since) {
    return refuse("revoked", "cACompromise", since, "Anchored after its issuer key was compromised.")
  }
  if (credentialRecord.mark === "revoked") {
    return refuse(
      "revoked",
      revocationReason(credentialRecord.reason),
      credentialRecord.changedAt,
      "The credential was revoked.",
    )
  }
  if (deviceKeyRecord.mark === "revoked") {
    const { reason, changedAt } = deviceKeyRecord
    return refuse(
      "revoked",
      revocationReason(reason),
      changedAt,
      "The device's key was revoked, and every certificate for it.",
    )
  }
  if (bit !== undefined) {
    return refuse(
      "revoked",
      revocationReason(bit.reason ?? 0),
      bit.revokedAt ?? null,
      "The device's place in its batch was revoked.",
    )
  }
  if (batch?.mark === "revoked") {
    return refuse("revoked", revocationReason(batch.reason), batch.changedAt, "The whole batch was revoked.")
  }
  return undefined
}

function held({ batch, credentialRecord, deviceKeyRecord, manufacturer }: StandingFacts): Decision | undefined {
  if (credentialRecord.mark === "held") {
    return refuse("onHold", "certificateHold", credentialRecord.changedAt, "The credential is on hold.")
  }
  if (deviceKeyRecord.mark === "held") {
    return refuse("onHold", "certificateHold", deviceKeyRecord.changedAt, "The device's key is on hold.")
  }
  if (batch?.mark === "held") return refuse("onHold", "certificateHold", batch.changedAt, "The whole batch is on hold.")
  if (manufacturer.status === "suspended") {
    return refuse("onHold", "manufacturerSuspended", manufacturer.statusSince, "The manufacturer is suspended.")
  }
  return undefined
}

function doubtful({ manufacturer, issuerKey, registeredAt, settled }: StandingFacts): Decision | undefined {
  if (!settled) return refuse("unknown", "notFinal", registeredAt, "Anchored in a block that is not final yet.")
  if (manufacturer.status === "left" && registeredAt >= manufacturer.statusSince) {
    return refuse("unknown", "manufacturerLeft", manufacturer.statusSince, "Anchored when its manufacturer had left.")
  }
  const { revokedAt } = issuerKey
  // Anchored in the second in which its key was retired: not good.
  if (revokedAt !== undefined && registeredAt >= revokedAt) {
    return refuse("unknown", "issuerKeyRetired", revokedAt, "Anchored when its issuer key had been retired.")
  }
  return undefined
}

/** X.509 validity is inclusive at both ends (RFC 5280, 4.1.2.5). */
function outOfTime({ time, notBefore, notAfter, anchorNotAfter }: StandingFacts): Decision | undefined {
  if (time < notBefore) return refuse("notYetValid", "certificateNotStarted", null, "The validity has not begun.")
  if (time > notAfter) return refuse("expired", "certificateEnded", notAfter, "The validity has ended.")
  if (anchorNotAfter !== undefined && time > anchorNotAfter) {
    return refuse("expired", "anchorEnded", anchorNotAfter, "The ledger's entry has ended.")
  }
  return undefined
}

function good({ registeredAt }: StandingFacts): Decision {
  return { status: "good", reason: null, detail: "Genuine, anchored and in good standing.", since: registeredAt }
}

function refuse(
  status: Exclude<DeviceStatus, "good">,
  reason: NonNullable<Decision["reason"]>,
  since: number | null,
  detail: string,
): Decision {
  return { status, reason, since, detail }
}
