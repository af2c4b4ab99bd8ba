import {
  ecdsaRawToDer,
  FirmwareClient,
  FirmwareVerifier,
  generateP256Key,
  signerFromPkcs8,
  signRelease,
} from "../../client/index.ts"
import type { FirmwareVerdict, KeySigner, ManufacturerClient } from "../../client/index.ts"
import type { Openssl } from "./openssl.ts"
import type { World } from "./world.ts"

/** Adds a row to the table: what is done, the answer expected, and the deed. */
export type TellRow = (
  step: string,
  expected: string,
  act: () => Promise<{ found: string; gas?: bigint | undefined }>,
) => Promise<void>

const PRODUCT = "acme-9271"
const OLDER = 6
const RELEASED = 7
const NEWER = 8

/** Firmware: a detached signature, a release that two of three keys signed, tampering, roll-back, recall. */
export async function tellFirmware(
  world: World,
  maker: ManufacturerClient,
  openssl: Openssl | undefined,
  row: TellRow,
): Promise<void> {
  const { manufacturerId } = maker
  const image = crypto.getRandomValues(new Uint8Array(4_096))
  const tampered = image.slice()
  tampered[1_000] = (tampered[1_000] ?? 0) ^ 1
  const { signer, signature } = await signImage(image, openssl)
  const signers = [signer, await generateP256Key(), await generateP256Key()]
  for (const key of signers) await maker.addKey({ purpose: "firmware", signer: key })
  await world.pass(60)

  const verifier = new FirmwareVerifier({ ledger: world.ledger, now: () => world.now })
  const question = { signature, manufacturerId, product: PRODUCT, installedSecurityVersion: OLDER }
  const check = async (bytes: Uint8Array, more: { installedSecurityVersion?: number } = {}) =>
    answer(await verifier.check({ ...question, ...more, image: bytes }))

  const how = openssl === undefined ? "a detached signature" : "`openssl dgst -sha256 -sign`"
  await row(`firmware signed with ${how}, not released`, "refused: published", async () => ({
    found: await check(image),
  }))
  await row("… accepted by its signature alone, when asked to", "installable", async () => {
    // A detached signature names no version, so there is none to compare with the installed one.
    const { installedSecurityVersion: _, ...unversioned } = question
    return { found: answer(await verifier.check({ ...unversioned, image, unpublished: true })) }
  })

  const firmware = new FirmwareClient({
    ledger: world.ledger,
    rpc: world.rpc,
    writer: world.makerWriter(),
    manufacturerId,
  })
  await firmware.setThreshold(2)
  await row("released with two of three firmware keys", "installable", async () => {
    const draft = await firmware.prepare({ product: PRODUCT, image, securityVersion: RELEASED, version: "1.4.0" })
    const signed = await signRelease(await signRelease(draft, signers[0] as KeySigner), signers[2] as KeySigner)
    const { transaction } = await firmware.publish(signed)
    await world.pass(60)
    return { found: await check(image), gas: transaction?.gasUsed }
  })
  await row("the same image with one bit changed", "refused: signature", async () => ({ found: await check(tampered) }))
  await row("on a device that runs something newer", "refused: rollback", async () => {
    return { found: await check(image, { installedSecurityVersion: NEWER }) }
  })
  await row("the release recalled: it bricks radios", "refused: recall", async () => {
    const mined = await firmware.recall(PRODUCT, RELEASED, "bricks radio")
    await world.pass(60)
    return { found: await check(image), gas: mined?.gasUsed }
  })
}

async function signImage(
  image: Uint8Array,
  openssl: Openssl | undefined,
): Promise<{ signer: KeySigner; signature: Uint8Array }> {
  if (openssl !== undefined) {
    const { key, signature } = openssl.signFirmware(image)
    return { signer: await signerFromPkcs8(key), signature }
  }
  const signer = await generateP256Key()
  return { signer, signature: ecdsaRawToDer(await signer.sign(image)) }
}

function answer({ installable, checks }: FirmwareVerdict): string {
  return installable ? "installable" : `refused: ${checks.find(({ ok }) => !ok)?.name ?? "nothing was checked"}`
}
