import type { LedgerKey, LedgerView, Manufacturer, Release } from "../ledger/ledger.ts"
import type { Moment } from "../ledger/moment.ts"
import type { FirmwareMemory, ProductKey } from "./firmwareMemory.ts"
import type { Inspection } from "./inspectImage.ts"
import type { FirmwareCheck } from "./verdict.ts"

/** The one rule for time spans: what happens in the second of a key's end does not count. As `FirmwareRegistry._counts`. */
function counts(when: number, end: number | undefined): boolean {
  return end === undefined || when < end
}

/**
 * Whether the manufacturer's word counts; releases of one that left count if they are older than its leaving. A suspension that
 * ended in a block which is not final yet has not ended.
 */
export async function manufacturerCheck(
  { head, settled, time, isLater = false }: Moment,
  manufacturerId: number,
  release: Release | undefined,
): Promise<FirmwareCheck> {
  const views = head === settled ? [head] : [head, settled]
  const manufacturers = await Promise.all(views.map((view) => view.manufacturer(manufacturerId)))
  const checks = manufacturers.map((manufacturer) => oneManufacturerCheck(manufacturer, release))
  const since = manufacturers[0]?.statusSince ?? 0
  if (isLater && since > time) {
    const detail = `Its standing changed at ${dateText(since)}: what it was before cannot be judged until that is final.`
    return { name: "manufacturer", ok: false, detail }
  }
  return checks.find(({ ok }) => !ok) ?? (checks[0] as FirmwareCheck)
}

function oneManufacturerCheck(manufacturer: Manufacturer | undefined, release: Release | undefined): FirmwareCheck {
  const name = "manufacturer"
  if (manufacturer === undefined) return { name, ok: false, detail: "It is not on the ledger." }
  const { status, statusSince } = manufacturer
  const since = `since ${dateText(statusSince)}`
  if (status === "active") return { name, ok: true, detail: `${manufacturer.name} is active.` }
  if (status === "left" && release !== undefined && release.releasedAt < statusSince) {
    return { name, ok: true, detail: `${manufacturer.name} left, ${since}, after the release.` }
  }
  return { name, ok: false, detail: `${manufacturer.name} is ${status}, ${since}.` }
}

/** Whether the key that signed the image itself counts: at the time of the release or, without one, now. */
export async function signerStandingCheck(
  key: LedgerKey,
  release: Release | undefined,
  { settled, time }: Moment,
): Promise<FirmwareCheck> {
  const check = oneSignerStandingCheck(key, release, time)
  if (!check.ok) return check
  const known = await settled.key(key.manufacturerId, key.index)
  if (known?.keyId === key.keyId) return check
  return { name: "signerStanding", ok: false, detail: "The key was added in a block that is not final yet." }
}

function oneSignerStandingCheck(key: LedgerKey, release: Release | undefined, now: number): FirmwareCheck {
  const name = "signerStanding"
  const { notBefore, notAfter, revokedAt, compromisedSince } = key
  const when = release?.releasedAt ?? now
  const refuse = (detail: string): FirmwareCheck => ({ name, ok: false, detail })
  // Without an anchor nothing shows that the image is older than the compromise.
  if (release === undefined && compromisedSince !== undefined) {
    return refuse(`The key was compromised, since ${dateText(compromisedSince)}.`)
  }
  if (!counts(when, compromisedSince)) {
    return refuse(`Released when the key was compromised, since ${dateText(compromisedSince ?? 0)}.`)
  }
  if (!counts(when, revokedAt)) return refuse(`The key was retired at ${dateText(revokedAt ?? 0)}.`)
  if (when < notBefore || when >= notAfter) {
    return refuse(`The key signs from ${dateText(notBefore)} until ${dateText(notAfter)}.`)
  }
  return { name, ok: true, detail: release === undefined ? "It is current." : "It was good when this was released." }
}

/** Whether of a release's signatures as many as it needed still count. Compromises are known as of today. */
export async function releaseSignaturesCheck(today: LedgerView, release: Release): Promise<FirmwareCheck> {
  const { manufacturerId, signers, threshold, releasedAt } = release
  const keys = await Promise.all([...new Set(signers)].map((index) => today.key(manufacturerId, index)))
  const good = keys.filter(
    (key) =>
      key !== undefined &&
      key.purpose === "firmware" &&
      counts(releasedAt, key.revokedAt) &&
      counts(releasedAt, key.compromisedSince),
  ).length
  return {
    name: "releaseSignatures",
    ok: threshold >= 1 && good >= threshold,
    detail: `${good} good of ${threshold} needed.`,
  }
}

/** Whether the image is released, for good, and not recalled. */
export async function publicationChecks(parameters: {
  moment: Moment
  product: ProductKey
  inspection: Inspection
  release: Release | undefined
  latest: Release | undefined
  unpublished: boolean
  memory: FirmwareMemory
}): Promise<readonly FirmwareCheck[]> {
  const { moment, product, inspection, release, latest, unpublished, memory } = parameters
  const recall = await recallCheck(moment, product, inspection, release, memory)
  if (release === undefined) {
    const detail = unpublished
      ? "There is no release of this image; its signature was accepted without one, as asked."
      : "There is no release of this image for this product."
    return [{ name: "published", ok: unpublished, detail }, recall]
  }
  const newest = latest === undefined || latest.securityVersion <= release.securityVersion
  const age = newest ? "the latest" : `superseded by ${String(latest.securityVersion)}`
  return [
    { name: "published", ok: true, detail: `Released at ${dateText(release.releasedAt)}; it is ${age}.` },
    await finalCheck(moment, product, release),
    recall,
    manifestCheck(inspection, release),
    securityVersionCheck(inspection, release),
  ]
}

async function finalCheck({ settled }: Moment, product: ProductKey, release: Release): Promise<FirmwareCheck> {
  const { manufacturerId, product: name } = product
  const known = await settled.releaseByImage(manufacturerId, name, release.imageDigest)
  const ok = known !== undefined && known.releasedAt === release.releasedAt
  return { name: "final", ok, detail: ok ? "Its block stays." : "Released in a block that is not final yet." }
}

/** Bad news counts at the head; what a reorganisation took away stands until the chain is final past it. */
async function recallCheck(
  { head, settled, today }: Moment,
  product: ProductKey,
  { imageDigest }: Inspection,
  release: Release | undefined,
  memory: FirmwareMemory,
): Promise<FirmwareCheck> {
  const name = "recall"
  if (release?.recalledAt !== undefined) {
    if (head === today && head.block.number > settled.block.number) {
      await memory.rememberRecall(product, imageDigest, head.block.number)
    }
    return { name, ok: false, detail: `Recalled at ${dateText(release.recalledAt)}.` }
  }
  const seen = head === today ? await memory.recallSeen(product, imageDigest) : undefined
  if (seen === undefined) return { name, ok: true, detail: "It was not recalled." }
  if (seen > settled.block.number) {
    return {
      name,
      ok: false,
      detail: "Its recall was seen in a block that was reorganised since; waiting for finality.",
    }
  }
  await memory.rememberRecall(product, imageDigest, undefined)
  return { name, ok: true, detail: "It was not recalled." }
}

/** A manifest at hand must be the one of the release; several files are one release only through their manifest. */
function manifestCheck({ manifestDigest, severalFiles, imageDigest }: Inspection, release: Release): FirmwareCheck {
  const name = "manifest"
  if (manifestDigest === undefined) {
    const isManifest = release.manifestDigest === imageDigest
    const detail = isManifest ? "The release is of several files; give its manifest." : "None is needed for one image."
    return { name, ok: !isManifest, detail }
  }
  const ok = release.manifestDigest === manifestDigest && (!severalFiles || manifestDigest === imageDigest)
  return { name, ok, detail: ok ? "It is the release's manifest." : "The release names another manifest, or none." }
}

/** What the image says of itself must be what its signers signed for: a bootloader goes by the one, the ledger by the other. */
function securityVersionCheck({ securityVersion }: Inspection, release: Release): FirmwareCheck {
  const name = "securityVersion"
  if (securityVersion === undefined) {
    return { name, ok: true, detail: `${release.securityVersion}; the image itself names none.` }
  }
  const ok = securityVersion === release.securityVersion
  return {
    name,
    ok,
    detail: ok ? `${securityVersion}.` : `The image says ${securityVersion}, the release ${release.securityVersion}.`,
  }
}

/** Whether the image is a roll-back, behind what the ledger allows or behind what is installed. */
export async function rollbackChecks(parameters: {
  head: LedgerView
  product: ProductKey
  /** Of the release or, without one, what the image claims; undefined if nobody says. */
  securityVersion: number | undefined
  installed: number | undefined
  memory: FirmwareMemory
  isPresent: boolean
}): Promise<readonly FirmwareCheck[]> {
  const { head, product, securityVersion, installed, memory, isPresent } = parameters
  const shown = await head.minimumSecurityVersion(product.manufacturerId, product.product)
  const remembered = isPresent ? await memory.minimum(product) : 0
  if (isPresent && shown > remembered) await memory.rememberMinimum(product, shown)
  const behind = shown < remembered ? ` The ledger showed ${remembered} before and now ${shown}.` : ""
  return [
    atLeast("minimum", securityVersion, Math.max(shown, remembered), "the minimum", behind),
    installed === undefined
      ? { name: "rollback", ok: true, detail: "Nothing was said about what is installed." }
      : atLeast("rollback", securityVersion, installed, "what is installed", ""),
  ]
}

function atLeast(
  name: "minimum" | "rollback",
  version: number | undefined,
  bound: number,
  what: string,
  note: string,
): FirmwareCheck {
  if (bound === 0) return { name, ok: true, detail: `There is no bound: ${what} is 0.` }
  if (version === undefined) {
    return { name, ok: false, detail: `${what} is ${bound}, and nobody says which security version this is.${note}` }
  }
  const ok = version >= bound && note === ""
  return { name, ok, detail: `Security version ${version}; ${what} is ${bound}.${note}` }
}

function dateText(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
