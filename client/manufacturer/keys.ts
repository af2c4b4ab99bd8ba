import { normalizeLowS } from "../crypto/ecdsa.ts"
import { toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import type { KeySigner } from "../crypto/signer.ts"
import { KeyMissingError, KeyTakenError } from "../errors/manufacturer.ts"
import type { KeyPurpose, LedgerKey } from "../ledger/ledger.ts"
import { keyPossessionStatement, KEY_PURPOSE_NUMBER } from "../ledger/statements.ts"
import { assertUint32, secondsOf } from "../ledger/limits.ts"
import type { Mined } from "../ledger/writer.ts"
import { manufacturersTarget, statementDomain } from "./context.ts"
import type { WriteContext } from "./context.ts"

export type AddKeyParameters = {
  purpose: KeyPurpose
  /** The key: it proves that it is held by signing a statement. */
  signer: KeySigner
  /** From when it may sign. Default: at once (a firmware key: after the ledger's key delay). */
  notBefore?: Date
  /** Until when it may sign, exclusive. Default: ten years from now. */
  notAfter?: Date
}

/** Adds a key; a key that is there with the same owner and purpose is left alone. */
export async function addKey(
  context: WriteContext,
  manufacturerId: number,
  { purpose, signer, notBefore, notAfter }: AddKeyParameters,
): Promise<{ key: LedgerKey; transaction: Mined | null }> {
  const keyId = keyIdOf(signer.spki)
  const before = await context.ledger.at("latest")
  const known = await before.keyById(keyId)
  if (known !== undefined) return { key: same(known, manufacturerId, purpose), transaction: null }

  const statement = keyPossessionStatement(statementDomain(context.ledger, "manufacturers"), {
    manufacturerId,
    keyId,
    purpose,
  })
  const signature = await signer.sign(statement)
  const proof = signer.algorithm === "p256" ? normalizeLowS(signature) : signature
  const tenYears = 10 * 365 * 86_400
  const transaction = await context.writer.write({
    ...manufacturersTarget(context),
    functionName: "addKey",
    args: [
      manufacturerId,
      KEY_PURPOSE_NUMBER[purpose],
      notBefore === undefined ? 0 : secondsOf(notBefore, "the key's start"),
      notAfter === undefined ? before.block.timestamp + tenYears : secondsOf(notAfter, "the key's end"),
      toHex(signer.spki),
      toHex(proof),
    ],
    // The proof is another one each time, and so is the default end.
    intent: `key ${keyId} of manufacturer ${manufacturerId}`,
    seenAt: before.block.number,
  })
  const after = await context.ledger.at("latest")
  return { key: await keyOf(after, manufacturerId, keyId, purpose), transaction }
}

/** Retires a key: it signs nothing new. */
export async function revokeKey(
  context: WriteContext,
  manufacturerId: number,
  keyIndex: number,
): Promise<Mined | null> {
  assertUint32(keyIndex, "a key's index", 1)
  const view = await context.ledger.at("latest")
  const key = await view.key(manufacturerId, keyIndex)
  if (key?.revokedAt !== undefined) return null
  return context.writer.write({
    ...manufacturersTarget(context),
    functionName: "revokeKey",
    args: [manufacturerId, keyIndex],
    seenAt: view.block.number,
  })
}

/** Says that a key was in other hands from `since` on. Moves an earlier declaration back only. */
export async function declareCompromise(
  context: WriteContext,
  manufacturerId: number,
  keyIndex: number,
  since: Date,
): Promise<Mined | null> {
  assertUint32(keyIndex, "a key's index", 1)
  const seconds = secondsOf(since, "the compromise's date")
  const view = await context.ledger.at("latest")
  const key = await view.key(manufacturerId, keyIndex)
  if (key?.compromisedSince !== undefined && key.compromisedSince <= seconds) return null
  return context.writer.write({
    ...manufacturersTarget(context),
    functionName: "declareCompromise",
    args: [manufacturerId, keyIndex, seconds],
    seenAt: view.block.number,
  })
}

/** All keys of a manufacturer that somebody proved possession of, in the order of their registration. */
export async function listKeys(context: Pick<WriteContext, "ledger">, manufacturerId: number): Promise<LedgerKey[]> {
  const view = await context.ledger.at("latest")
  const count = (await view.manufacturer(manufacturerId))?.keyCount ?? 0
  const indices = Array.from({ length: count }, (_, i) => i + 1)
  const keys = await Promise.all(indices.map((index) => view.key(manufacturerId, index)))
  return keys.filter((key) => key !== undefined)
}

/** A manufacturer's key by its key id. @throws KeyMissingError */
export async function keyOf(
  view: { keyById(keyId: Hex): Promise<LedgerKey | undefined> },
  manufacturerId: number,
  keyId: Hex,
  purpose: KeyPurpose,
): Promise<LedgerKey> {
  const key = await view.keyById(keyId)
  if (key === undefined || key.manufacturerId !== manufacturerId || key.purpose !== purpose) {
    throw new KeyMissingError({ keyId, manufacturerId, purpose })
  }
  return key
}

function same(key: LedgerKey, manufacturerId: number, purpose: KeyPurpose): LedgerKey {
  if (key.manufacturerId === manufacturerId && key.purpose === purpose) return key
  throw new KeyTakenError({ keyId: key.keyId, owner: key.manufacturerId, purpose: key.purpose })
}
