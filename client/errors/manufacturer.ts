import { FleetrootError } from "./base.ts"

/** The manufacturer is not on the ledger. */
export class ManufacturerUnknownError extends FleetrootError {
  override name = "ManufacturerUnknownError" as const
  override readonly code = "MANUFACTURER_UNKNOWN" as const
  constructor({ manufacturerId }: { manufacturerId: number }) {
    super(`There is no manufacturer ${manufacturerId}.`, {
      hint: "Check the id; `fleetroot manufacturer show` lists them.",
      docs: "docs/errors.md#manufacturer-unknown",
    })
  }
}

/** The key is on the ledger with another owner or purpose than asked for. */
export class KeyTakenError extends FleetrootError {
  override name = "KeyTakenError" as const
  override readonly code = "KEY_TAKEN" as const
  constructor({ keyId, owner, purpose }: { keyId: string; owner: number; purpose: string }) {
    super(`Key ${keyId} is on the ledger already: ${purpose} key of manufacturer ${owner}.`, {
      hint: "A key is registered once, for one purpose, for ever; make a new one.",
      docs: "docs/errors.md#key-taken",
    })
  }
}

/** The manufacturer has no such key, or it has another purpose. */
export class KeyMissingError extends FleetrootError {
  override name = "KeyMissingError" as const
  override readonly code = "KEY_MISSING" as const
  constructor({ keyId, manufacturerId, purpose }: { keyId: string; manufacturerId: number; purpose: string }) {
    super(`Manufacturer ${manufacturerId} has no ${purpose} key ${keyId}.`, {
      hint: "Add it with `fleetroot key add`.",
      docs: "docs/errors.md#key-missing",
    })
  }
}

/** The credential has a record of its own already, under another key: a record is written once. */
export class CredentialTakenError extends FleetrootError {
  override name = "CredentialTakenError" as const
  override readonly code = "CREDENTIAL_TAKEN" as const
  constructor({ credentialHash, keyIndex }: { credentialHash: string; keyIndex: number }) {
    super(`Credential ${credentialHash} is registered already, under key ${keyIndex}.`, {
      hint: "If that key did not sign it, it can never be good: issue a new certificate.",
      docs: "docs/errors.md#credential-taken",
    })
  }
}

/** The series holds another batch. */
export class SeriesUsedError extends FleetrootError {
  override name = "SeriesUsedError" as const
  override readonly code = "SERIES_USED" as const
  constructor({ series, root, size }: { series: number; root: string; size: number }) {
    super(`Series ${series} holds another batch: root ${root}, ${size} credentials.`, {
      hint: "Leave the series out to get the next free one.",
      docs: "docs/errors.md#series-used",
    })
  }
}

/** A series from 2^31 on, or raw public keys, were to be registered without the issuer key's signature. */
export class IssuerSignatureMissingError extends FleetrootError {
  override name = "IssuerSignatureMissingError" as const
  override readonly code = "ISSUER_SIGNATURE_MISSING" as const
  constructor({ series, kind }: { series: number; kind: string }) {
    super(`Batch ${series} (${kind}) needs the issuer key's own signature.`, {
      hint: "Give the issuer's signer (--issuer-key).",
      docs: "docs/errors.md#issuer-signature-missing",
    })
  }
}

/** The manufacturer has no such batch. */
export class BatchMissingError extends FleetrootError {
  override name = "BatchMissingError" as const
  override readonly code = "BATCH_MISSING" as const
  constructor({ manufacturerId, series }: { manufacturerId: number; series: number }) {
    super(`Manufacturer ${manufacturerId} has no batch ${series}.`, {
      hint: "Check manufacturer and series: `fleetroot batch show`.",
      docs: "docs/errors.md#batch-missing",
    })
  }
}

/** A subject to be released is not on hold. */
export class NotOnHoldError extends FleetrootError {
  override name = "NotOnHoldError" as const
  override readonly code = "NOT_ON_HOLD" as const
  constructor({ subject, mark }: { subject: string; mark: string }) {
    super(`${subject} is not on hold; its mark is ${mark}.`, {
      hint: mark === "revoked" ? "A revocation cannot be undone." : "Nothing to do.",
      docs: "docs/errors.md#not-on-hold",
    })
  }
}

/** A subject to be held carries a revocation, which is stronger. */
export class AlreadyRevokedError extends FleetrootError {
  override name = "AlreadyRevokedError" as const
  override readonly code = "ALREADY_REVOKED" as const
  constructor({ subject, since }: { subject: string; since: Date }) {
    super(`${subject} was revoked at ${since.toISOString()}.`, {
      hint: "A revocation cannot be undone or weakened.",
      docs: "docs/errors.md#already-revoked",
    })
  }
}
