import { fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import type { Batch, LedgerKey } from "../ledger/ledger.ts"
import type { Deployment } from "../ledger/deployment.ts"
import type { BatchIndex } from "../ledger/replica/batchIndex.ts"
import { CONTESTED, indexOfFound, NOT_INDEXED } from "../ledger/replica/claims.ts"
import type { IndexedBatch } from "../ledger/replica/claims.ts"
import type { Receipt } from "../merkle/receipt.ts"
import { verifyInclusion } from "../merkle/tree.ts"
import { decodePositionSerial, positionSerialMatches } from "../x509/positionSerial.ts"
import type { Position } from "../x509/positionSerial.ts"
import type { Credential } from "./credential.ts"
import { wait } from "./steps.ts"
import type { Steps } from "./steps.ts"
import type { StatusView } from "./statusView.ts"
import type { RefusalReason } from "./verdict.ts"

/** Who signed a credential, and where on the ledger it says that it is. */
export type Anchor = {
  readonly issuerKey: LedgerKey
  /** Its place; undefined for a credential with a record of its own, or none. */
  readonly place: { readonly series: number; readonly index: number } | undefined
  /** The batch of the place, at the head. */
  readonly batch: Batch | undefined
  /** Whether its inclusion in the batch was proven; the place of a serial number alone proves nothing. */
  readonly included: boolean
  /** The batch or record, or the word of the serial number, that pointed here. */
  readonly evidence: readonly { kind: string; detail: string }[]
}

/** Why there is no anchor. */
export type NoAnchor = { readonly refusal: RefusalReason; readonly detail: string }

/** What a {@link BatchIndex} is asked. */
export type PlaceIndex = Pick<BatchIndex, "lookup" | "batchOf" | "claims">

export type FindAnchorParameters = {
  readonly credential: Credential
  readonly head: StatusView
  readonly deployment: Deployment
  readonly crypto: CryptoBackend
  readonly receipt: Receipt | undefined
  /** Places known from manifests; asked where there is no receipt. */
  readonly places?: PlaceIndex | undefined
  /** Key id of the issuer, where the caller knows it. */
  readonly issuerKeyId: Hex | undefined
}

/** Two keys share an identifier only if somebody sought the collision; more than a few are an attack. */
const MOST_CANDIDATES = 8

/**
 * Finds the key that signed a credential, checks its signature, and finds the place it claims.
 *
 * @throws KeyOwnerAmbiguousError when two manufacturers prove possession of that key.
 */
export function* findAnchor(parameters: FindAnchorParameters): Steps<Anchor | NoAnchor> {
  const { receipt, places, credential, head } = parameters
  const indexed = receipt !== undefined || places === undefined ? undefined : yield* anchorByIndex(parameters, places)
  if (receipt === undefined && indexed === undefined && credential.kind === "rawPublicKey") {
    return none("notAnchored", "A raw public key is checked by its receipt or manifest; none was given.")
  }
  const anchor =
    indexed ?? (yield* receipt === undefined ? anchorByIssuer(parameters) : anchorByReceipt(parameters, receipt))
  // Of a key that the contract could not check, two may prove possession: then it is nobody's, whichever of them was found.
  if ("issuerKey" in anchor && !anchor.issuerKey.proven) yield* wait(head.keyById(anchor.issuerKey.keyId))
  return anchor
}

function* anchorByReceipt(parameters: FindAnchorParameters, receipt: Receipt): Steps<Anchor | NoAnchor> {
  const { credential, head, deployment } = parameters
  const { address } = deployment.contracts.devices
  if (receipt.chainId !== BigInt(deployment.chainId) || receipt.registry !== address) {
    const found = `chain ${receipt.chainId}, registry ${receipt.registry}`
    return none("receiptForeign", `The receipt is for ${found}, not chain ${deployment.chainId}, registry ${address}.`)
  }
  const { manufacturerId, series, index, size, proof } = receipt
  const batch = yield* wait(head.batch(manufacturerId, series))
  if (batch === undefined) {
    return none(
      "notAnchored",
      `The receipt names batch ${series} of manufacturer ${manufacturerId}, which is not on the ledger.`,
    )
  }
  const included =
    size === batch.size &&
    verifyInclusion({
      credentialHash: fromHex(credential.credentialHash),
      index,
      size,
      proof,
      root: fromHex(batch.root),
    })
  if (!included) {
    return none(
      "receiptWrong",
      `The receipt does not prove that this credential is in batch ${series} at index ${index}.`,
    )
  }
  return yield* anchorInBatch(parameters, batch, index, "receipt")
}

/**
 * The place that an index of checked manifests knows; undefined if it knows none. The index was made against roots on the
 * ledger: it counts for the batch that has the very root and size, and no other.
 */
function* anchorByIndex(parameters: FindAnchorParameters, places: PlaceIndex): Steps<Anchor | NoAnchor | undefined> {
  const { credential, head } = parameters
  const hash = fromHex(credential.credentialHash)
  const found = places.lookup(hash)
  if (found === NOT_INDEXED) return undefined
  let refused: NoAnchor | undefined
  for (const one of found === CONTESTED ? standingPlaces(places, hash) : [found]) {
    const indexed = places.batchOf(one)
    const batch = indexed === undefined ? undefined : yield* wait(head.batch(indexed.manufacturerId, indexed.series))
    if (indexed === undefined || batch === undefined || !isIndexed(batch, indexed)) continue
    const anchor = yield* anchorInBatch(parameters, batch, indexOfFound(one), "manifest")
    if ("issuerKey" in anchor) return anchor
    refused = anchor
  }
  return refused
}

/** Of each manufacturer that claims a credential, the place that counts. */
function standingPlaces(places: PlaceIndex, hash: Uint8Array): number[] {
  const claimants = new Set(places.claims(hash).map(({ batch }) => batch.manufacturerId))
  return Array.from(claimants, (manufacturerId) => places.lookup(hash, manufacturerId)).filter((found) => found >= 0)
}

/** Whether a batch on the ledger is the very one that an index was made of. */
export function isIndexed(batch: Batch, indexed: IndexedBatch): boolean {
  return batch.root === indexed.root && batch.size === indexed.size && batch.registeredAt === indexed.registeredAt
}

/** The anchor of a credential whose place in a batch was shown. */
function* anchorInBatch(
  parameters: FindAnchorParameters,
  batch: Batch,
  index: number,
  shownBy: "receipt" | "manifest",
): Steps<Anchor | NoAnchor> {
  const { credential, head, deployment, crypto } = parameters
  const { manufacturerId, series, size } = batch
  const issuerKey = yield* wait(head.key(manufacturerId, batch.keyIndex))
  if (issuerKey === undefined) return none("issuerUnknown", "The key that the batch names is not proven by its owner.")
  if (!(yield* wait(credential.isSignedBy(issuerKey.spki, crypto)))) {
    return none("signatureInvalid", "The signature is not that of the key which the batch names.")
  }
  if (issuerKey.purpose !== "issuer") {
    return none("issuerKeyPurposeWrong", `A batch needs an issuer key; the key's purpose is ${issuerKey.purpose}.`)
  }
  if (batch.rawPublicKeys !== (credential.kind === "rawPublicKey") || (batch.rawPublicKeys && !batch.byKey)) {
    return none("kindWrong", "The batch holds credentials of the other kind.")
  }
  const position = positionOf(credential, deployment, issuerKey)
  const elsewhere =
    position !== undefined &&
    (position.manufacturerId !== manufacturerId || position.series !== series || position.index !== index)
  if (elsewhere) {
    return none("positionElsewhere", `Its serial number names batch ${position.series}, index ${position.index}.`)
  }
  return {
    issuerKey,
    place: { series, index },
    batch,
    included: true,
    evidence: [
      { kind: shownBy, detail: `index ${index} of ${size} in batch ${series} of manufacturer ${manufacturerId}` },
    ],
  }
}

function* anchorByIssuer(parameters: FindAnchorParameters): Steps<Anchor | NoAnchor> {
  const { credential, head, deployment, crypto } = parameters
  const candidates = yield* candidateKeys(parameters)
  const signers: LedgerKey[] = []
  for (const key of candidates) {
    if (yield* wait(credential.isSignedBy(key.spki, crypto))) signers.push(key)
  }
  const issuerKey = signers[0]
  if (issuerKey === undefined) {
    return candidates.length === 0
      ? none(
          "issuerUnknown",
          "No key on the ledger fits its issuer; give a receipt, a manifest or the issuer's certificate.",
        )
      : none("signatureInvalid", "The key that its issuer's identifier names did not sign it.")
  }
  if (issuerKey.purpose === "firmware") {
    return none("issuerKeyPurposeWrong", "The key that signed it is a firmware key.")
  }
  const position = positionOf(credential, deployment, issuerKey)
  if (position === undefined) return { issuerKey, place: undefined, batch: undefined, included: false, evidence: [] }

  const { manufacturerId, series, index } = position
  const batch = yield* wait(head.batch(manufacturerId, series))
  const fits = manufacturerId === issuerKey.manufacturerId && batch?.keyIndex === issuerKey.index && index < batch.size
  if (!fits)
    return none("positionElsewhere", `Its serial number names index ${index} of batch ${series}, which is not there.`)
  return {
    issuerKey,
    place: { series, index },
    batch,
    included: false,
    evidence: [{ kind: "positionSerial", detail: `index ${index} of batch ${series}` }],
  }
}

function* candidateKeys({
  credential,
  head,
  issuerKeyId,
  deployment,
}: FindAnchorParameters): Steps<readonly LedgerKey[]> {
  const found = new Map<Hex, LedgerKey>()
  const add = (key: LedgerKey | undefined): void => {
    if (key !== undefined) found.set(key.keyId, key)
  }
  if (issuerKeyId !== undefined) add(yield* wait(head.keyById(issuerKeyId)))
  // A position names the batch, and the batch its key. Whether it is one shows only once that key is known.
  const position = credential.serial === undefined ? undefined : decodePositionSerial(credential.serial)
  if (position !== undefined) {
    const batch = yield* wait(head.batch(position.manufacturerId, position.series))
    const key = batch === undefined ? undefined : yield* wait(head.key(position.manufacturerId, batch.keyIndex))
    if (key !== undefined && positionOf(credential, deployment, key) !== undefined) add(key)
  }
  if (found.size === 0 && credential.authorityKeyIdentifier !== undefined) {
    const keys = yield* wait(head.keysByIdentifier(credential.authorityKeyIdentifier))
    keys.slice(0, MOST_CANDIDATES).forEach(add)
  }
  return [...found.values()]
}

/** The place that its serial number names, if it was made as one for this deployment and key. */
function positionOf(credential: Credential, deployment: Deployment, issuerKey: LedgerKey): Position | undefined {
  if (credential.serial === undefined) return undefined
  const context = {
    chainId: BigInt(deployment.chainId),
    registry: deployment.contracts.devices.address,
    issuerKeyId: issuerKey.keyId,
  }
  return positionSerialMatches(credential.serial, context) ? decodePositionSerial(credential.serial) : undefined
}

function none(refusal: RefusalReason, detail: string): NoAnchor {
  return { refusal, detail }
}

/** A word's bit of an index. */
export function bitIsSet(word: bigint, index: number): boolean {
  return ((word >> BigInt(index % 256)) & 1n) === 1n
}
