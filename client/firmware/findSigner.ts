import type { Hex } from "../crypto/hex.ts"
import { FleetrootError } from "../errors/base.ts"
import { ImageError } from "../errors/firmware.ts"
import type { LedgerKey, LedgerView } from "../ledger/ledger.ts"
import type { SignatureClaim } from "./inspectImage.ts"
import type { FirmwareCheck } from "./verdict.ts"

/** Of more keys than this only the newest are tried; older ones are found by the key id that an image names. */
const MOST_KEYS = 512

/** The manufacturer's proven keys at a block, those for firmware first, the newest first. */
export async function signingCandidates(view: LedgerView, manufacturerId: number): Promise<readonly LedgerKey[]> {
  const count = (await view.manufacturer(manufacturerId))?.keyCount ?? 0
  const indices = Array.from({ length: Math.min(count, MOST_KEYS) }, (_, i) => count - i)
  const keys = (await Promise.all(indices.map((index) => view.key(manufacturerId, index)))).filter(
    (key) => key !== undefined,
  )
  return [
    ...keys.filter(({ purpose }) => purpose === "firmware"),
    ...keys.filter(({ purpose }) => purpose !== "firmware"),
  ]
}

export type FoundSigner = {
  /** The key that made one of the signatures; undefined if none on the ledger did. */
  readonly key: LedgerKey | undefined
  readonly checks: readonly FirmwareCheck[]
}

/**
 * Finds who on the ledger signed an image, without being told, and checks the signature and the kind of key. Whether the key was
 * good at the time is another question.
 */
export async function findSigner(parameters: {
  view: LedgerView
  manufacturerId: number
  claims: readonly SignatureClaim[]
  candidates: readonly LedgerKey[]
}): Promise<FoundSigner> {
  const { view, manufacturerId, claims, candidates } = parameters
  let tried = 0
  let wrong: LedgerKey | undefined
  for (const claim of claims) {
    for (const key of await keysFor(claim, view, candidates)) {
      tried += 1
      const outcome = await madeBy(claim, key)
      if (typeof outcome !== "boolean") return { key: undefined, checks: [outcome] }
      if (!outcome) continue
      if (key.manufacturerId === manufacturerId && key.purpose === "firmware") return found(key, manufacturerId)
      wrong ??= key
    }
  }
  if (wrong !== undefined) return found(wrong, manufacturerId)
  return { key: undefined, checks: notFound(claims, tried, manufacturerId) }
}

/** The keys that a claim may mean: what the file names, wherever on the ledger it is, then the manufacturer's own. */
async function keysFor(
  claim: SignatureClaim,
  view: LedgerView,
  candidates: readonly LedgerKey[],
): Promise<readonly LedgerKey[]> {
  const own = candidates.filter(({ spki }) => claim.names(spki))
  if (own.length > 0 || claim.keyId === undefined) return own
  const named = await view.keyById(claim.keyId)
  return named === undefined || !claim.names(named.spki) ? [] : [named]
}

/** A check that failed stands for "nobody can say". */
async function madeBy(claim: SignatureClaim, { spki }: LedgerKey): Promise<boolean | FirmwareCheck> {
  try {
    return await claim.isBy(spki)
  } catch (error) {
    if (error instanceof ImageError) return { name: error.check, ok: false, detail: error.message }
    // A key on the ledger that is no sound key has signed nothing.
    if (error instanceof FleetrootError) return false
    throw error
  }
}

function found(key: LedgerKey, manufacturerId: number): FoundSigner {
  const { keyId, index, purpose } = key
  const own = key.manufacturerId === manufacturerId
  const where = `key ${index} of manufacturer ${key.manufacturerId}`
  return {
    key,
    checks: [
      { name: "signature", ok: true, detail: `Made by ${keyId}.` },
      { name: "signerKey", ok: own, detail: own ? `It is ${where}.` : `It is ${where}, not of ${manufacturerId}.` },
      {
        name: "signerPurpose",
        ok: purpose === "firmware",
        detail: purpose === "firmware" ? "It is for firmware." : `Its purpose is ${purpose}, not firmware.`,
      },
    ],
  }
}

function notFound(claims: readonly SignatureClaim[], tried: number, manufacturerId: number): FirmwareCheck[] {
  if (tried > 0) {
    const detail = tried === 1 ? "The key that fits did not make it." : `None of the ${tried} keys that fit made it.`
    return [{ name: "signature", ok: false, detail }]
  }
  const named = claims.map(({ keyId }) => keyId).find((keyId): keyId is Hex => keyId !== undefined)
  const who = named === undefined ? "the signer" : `the signer ${named}`
  return [
    { name: "signature", ok: false, detail: "There is no key to check it with." },
    { name: "signerKey", ok: false, detail: `Manufacturer ${manufacturerId} has no key on the ledger for ${who}.` },
  ]
}
