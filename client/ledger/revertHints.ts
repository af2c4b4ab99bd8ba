/** What to do about each custom error of the contracts that a user can meet. */
const HINTS: Readonly<Record<string, string>> = {
  AccountUnauthorized:
    "Use the controller's account, or have the controller give this account the right (`fleetroot operator add`).",
  ControllerUnauthorized: "Only the manufacturer's controller may do this.",
  AccessManagedUnauthorized: "Only governance (consortium or guardian) may do this.",
  AccessManagerUnauthorizedCall: "Schedule the call first and wait for its delay.",
  AccessManagerNotScheduled: "Schedule the call first and wait for its delay.",
  AccessManagerNotReady: "The scheduled call's delay has not passed yet.",
  ManufacturerUnknown: "Check the manufacturer's id.",
  ManufacturerStatusWrong: "1 is active, 2 suspended, 3 left: `fleetroot manufacturer show` tells why.",
  KeyUnknown: "List the keys with `fleetroot key list`.",
  KeyAlreadyRegistered: "A key id is registered once, for ever; make a new key.",
  KeyPossessionUnproven: "The proof must be made by this very key for this chain, registry, manufacturer and purpose.",
  KeyNotCurrent: "The key is outside its validity, retired or compromised; add a new one.",
  KeyPurposeWrong: "1 issues batches, 2 issues single credentials, 3 signs firmware; use a key with the right purpose.",
  KeyAlgorithmUnsupported: "The contract verifies P-256 only; use the operator's way in.",
  KeyValidityInvalid: "The validity must end after it starts, and in the future.",
  KeyEncodingInvalid: "A P-256 key must be a 91-octet SubjectPublicKeyInfo with named curve and uncompressed point.",
  PublicKeyInvalid: "The coordinates are not a point of the curve.",
  SeriesUsed: "A series is used once; take the next number.",
  SeriesInvalid: "Series run from 1; those from 2^31 on need the issuer key's signature.",
  BatchUnknown: "Check manufacturer and series.",
  BatchIndexOutOfRange: "The index must be below the batch's size.",
  CredentialAlreadyRegistered: "Another key of the manufacturer registered it; a credential is registered once.",
  SubjectAlreadyMarked: "1 is on hold, 2 revoked. A revocation cannot be undone.",
  SubjectNotHeld: "Read the record again: the hold ended or another took its place.",
  SignatureInvalid: "The signature must be by that key over this statement, with low s.",
  RegistrationMoved: "Register at the successor.",
  ReasonInvalid: "Use 0 to 5, 9 or 10.",
}

/** The next step after a contract's refusal. */
export function revertHint(errorName: string): string | undefined {
  return Object.hasOwn(HINTS, errorName) ? HINTS[errorName] : undefined
}
