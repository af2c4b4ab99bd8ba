import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { decodeRawPublicKey, DeviceClient, generateP256Key, parseCertificate } from "../../../client/index.ts"
import type {
  Hex,
  KeySigner,
  LedgerKey,
  ManufacturerClient,
  Receipt,
  Verdict,
  Verifier,
} from "../../../client/index.ts"
import { makeDevice, makeTree, positionSerial } from "../../helpers/fleet.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { twinOf } from "../../helpers/twin.ts"

const FAR = 4_000_000_000

let net: TestLedger
let maker: ManufacturerClient
let other: ManufacturerClient
const signers = {} as Record<"issuer" | "second" | "open" | "openSecond" | "firmware" | "foreign", KeySigner>
const keys = {} as Record<keyof typeof signers, LedgerKey>
let raw: Uint8Array

beforeAll(async () => {
  net = await freshLedger()
  maker = await net.admit("Acme Works", 1)
  other = await net.admit("Bar Works", 2)
  for (const [name, purpose] of [
    ["issuer", "issuer"],
    ["second", "issuer"],
    ["open", "openIssuer"],
    ["openSecond", "openIssuer"],
    ["firmware", "firmware"],
    ["foreign", "issuer"],
  ] as const) {
    signers[name] = await generateP256Key()
    keys[name] = (await (name === "foreign" ? other : maker).addKey({ purpose, signer: signers[name] })).key
  }
  const device = await DeviceClient.generate()
  raw = await device.rawPublicKey({ notBefore: 0, notAfter: FAR, deviceId: new Uint8Array(16) })
  await net.pass(5)
})
afterAll(() => net.close())

/** One that saw nothing before. */
const verifier = (): Verifier => net.verifier({ ledger: net.freshView() })

type Presented = { hash: Hex; check: (receipt?: Receipt) => Promise<Verdict> }
type Signer = keyof typeof signers

/** A credential of each kind that there can be. */
const CREDENTIALS: Record<string, () => Promise<Presented>> = {
  "a certificate by an issuer key": () => certificate("issuer"),
  "a certificate by an open issuer key": () => certificate("open"),
  "a certificate by a firmware key": () => certificate("firmware"),
  "a certificate by another manufacturer's issuer key": () => certificate("foreign"),
  "a raw public key": async () => ({
    hash: decodeRawPublicKey(raw).credentialHash,
    check: (receipt) => verifier().checkRawPublicKey(raw, receipt === undefined ? {} : { receipt }),
  }),
}

async function certificate(by: Signer): Promise<Presented> {
  const { der, certificate: parsed } = await makeDevice({ issuer: signers[by], notAfter: FAR })
  const check = (receipt?: Receipt) => verifier().checkCertificate(der, receipt === undefined ? {} : { receipt })
  return { hash: parsed.credentialHash, check }
}

let nextSeries = 0

/** Every way onto the ledger that a thief with all the accounts and all the keys but the issuer's could try. */
const DOORS: Record<string, (hash: Hex) => Promise<Receipt | undefined>> = {
  "a batch by an operator": (hash) => batch(hash, "issuer", "x509", false),
  "a batch by an operator under another key": (hash) => batch(hash, "second", "x509", false),
  "a batch on the issuer key's word": (hash) => batch(hash, "issuer", "x509", true),
  "a batch of raw public keys on the issuer key's word": (hash) => batch(hash, "issuer", "rawPublicKey", true),
  "another manufacturer's batch": (hash) => batch(hash, "foreign", "x509", false),
  "a record under the open key": (hash) => record(hash, "open"),
  "a record under another open key": (hash) => record(hash, "openSecond"),
}

async function batch(hash: Hex, by: Signer, kind: "x509" | "rawPublicKey", byKey: boolean): Promise<Receipt> {
  const owner = by === "foreign" ? other : maker
  nextSeries += 1
  const series = byKey ? 0x8000_0000 + nextSeries : nextSeries
  const tree = makeTree(net.deployment, owner.manufacturerId, series, [hash])
  const issuer = byKey ? { issuer: signers[by] } : {}
  await owner.registerBatch({
    root: tree.root,
    size: 1,
    notAfter: FAR,
    issuerKeyId: signers[by].keyId,
    series,
    kind,
    ...issuer,
  })
  return tree.receipt(0)
}

async function record(hash: Hex, by: Signer): Promise<undefined> {
  await maker.registerCredentials(keys[by].index, [{ credentialHash: hash }])
}

/** The only doors that lead anywhere. */
const GOOD: Record<string, readonly string[]> = {
  "a certificate by an issuer key": ["a batch by an operator", "a batch on the issuer key's word"],
  "a certificate by an open issuer key": ["a record under the open key"],
  "a certificate by a firmware key": [],
  "a certificate by another manufacturer's issuer key": ["another manufacturer's batch"],
  "a raw public key": ["a batch of raw public keys on the issuer key's word"],
}

describe("A credential through a door of the ledger", () => {
  const pairs = Object.keys(CREDENTIALS).flatMap((credential) =>
    Object.keys(DOORS).map((door) => ({ credential, door })),
  )

  it.each(pairs)("$credential through $door", async ({ credential, door }) => {
    const { hash, check } = await (CREDENTIALS[credential] as () => Promise<Presented>)()
    let found: Verdict | undefined
    await net.inScratch(async () => {
      const receipt = await (DOORS[door] as (hash: Hex) => Promise<Receipt | undefined>)(hash)
      await net.pass(1)
      found = await check(receipt)
    })

    const { status, reason } = found as Verdict
    if (GOOD[credential]?.includes(door) === true) expect({ status, reason }).toEqual({ status: "good", reason: null })
    else {
      expect(status).toBe("unknown")
      const known = ["notAnchored", "signatureInvalid", "kindWrong", "issuerKeyPurposeWrong", "issuerUnknown"]
      expect(known).toContain(reason)
    }
  })

  it("never takes an operator's word for raw public keys", async () => {
    const { credentialHash } = decodeRawPublicKey(raw)
    const parameters = { root: credentialHash, size: 1, notAfter: FAR, issuerKeyId: signers.issuer.keyId }
    await expect(maker.registerBatch({ ...parameters, kind: "rawPublicKey" })).rejects.toMatchObject({
      name: "IssuerSignatureMissingError",
    })
    await expect(maker.registerBatch({ ...parameters, series: 0x8000_0000 })).rejects.toMatchObject({
      name: "IssuerSignatureMissingError",
    })
    const input = { series: 0x8000_0000, size: 1, keyIndex: keys.issuer.index, notAfter: FAR, root: credentialHash }
    const to = net.deployment.contracts.devices.address
    const past = net.writer(1).write({ to, abi: deviceRegistryAbi, functionName: "registerBatch", args: [1, input] })
    await expect(past).rejects.toMatchObject({ errorName: "SeriesInvalid" })
  })

  it("opens batches for issuer keys and records for open ones only", async () => {
    const hash: Hex = `0x${"11".repeat(32)}`
    for (const by of ["issuer", "firmware"] as const)
      await expect(record(hash, by)).rejects.toMatchObject({ errorName: "KeyPurposeWrong" })
    for (const by of ["open", "firmware"] as const) {
      await expect(batch(hash, by, "x509", false)).rejects.toMatchObject({ name: "KeyMissingError" })
    }
  })
})

describe("A serial number that names a place", () => {
  const SERIES = 0x8000_1000
  const POSITIONS: [what: string, place: { manufacturerId: number; series: number; index: number }, by: Signer][] = [
    ["another index", { manufacturerId: 1, series: SERIES, index: 1 }, "issuer"],
    ["an index past the end", { manufacturerId: 1, series: SERIES, index: 2 }, "issuer"],
    ["another series", { manufacturerId: 1, series: SERIES + 1, index: 0 }, "issuer"],
    ["another manufacturer", { manufacturerId: 2, series: SERIES, index: 0 }, "issuer"],
    ["a batch of another key", { manufacturerId: 1, series: SERIES + 2, index: 0 }, "issuer"],
    ["a batch, under an open key", { manufacturerId: 1, series: SERIES, index: 0 }, "open"],
  ]

  beforeAll(async () => {
    const root: Hex = `0x${"22".repeat(32)}`
    const parameters = { root, size: 3, notAfter: FAR, issuer: signers.second, issuerKeyId: signers.second.keyId }
    await maker.registerBatch({ ...parameters, series: SERIES + 2 })
  })

  it.each(POSITIONS)("refuses one that names %s, with a receipt and without", async (_what, place, by) => {
    const serial = positionSerial(net.deployment, signers[by].keyId, place)
    const devices = await Promise.all([
      makeDevice({ issuer: signers[by], serial, notAfter: FAR }),
      makeDevice({ issuer: signers[by], notAfter: FAR }),
    ])
    const [device] = devices
    const hashes = devices.map((one) => one.certificate.credentialHash)
    const tree = makeTree(net.deployment, 1, SERIES, hashes)
    const batchOf = { root: tree.root, size: 2, notAfter: FAR, series: SERIES }
    await net.inScratch(async () => {
      await maker.registerBatch({ ...batchOf, issuer: signers.issuer, issuerKeyId: signers.issuer.keyId })
      await record(hashes[0] as Hex, "open")
      await net.pass(1)

      const withReceipt = await verifier().checkCertificate(device.der, { receipt: tree.receipt(0) })
      const without = await verifier().checkCertificate(device.der)

      expect(withReceipt).toMatchObject({ status: "unknown" })
      expect(["positionElsewhere", "signatureInvalid"]).toContain(withReceipt.reason)
      // Named by form and key, the place is there: then only the proof is missing.
      expect(without).toMatchObject({ status: "unknown" })
      expect(["positionElsewhere", "notAnchored"]).toContain(without.reason)
    })
  })

  it("is nothing but a number when it was made for another deployment", async () => {
    const elsewhere = { ...net.deployment, chainId: 1 }
    const serial = positionSerial(elsewhere, signers.issuer.keyId, { manufacturerId: 2, series: SERIES + 7, index: 9 })
    const { der, certificate: parsed } = await makeDevice({ issuer: signers.issuer, serial, notAfter: FAR })
    const receipt = await batch(parsed.credentialHash, "issuer", "x509", false)
    await net.pass(1)

    expect(await verifier().checkCertificate(der, { receipt })).toMatchObject({ status: "good" })
  })
})

describe("The twin of a certificate's signature", () => {
  it("is the same credential: good with its receipt, revoked with it", async () => {
    const device = await makeDevice({ issuer: signers.issuer, notAfter: FAR })
    const twin = twinOf(device.der)
    const receipt = await batch(device.certificate.credentialHash, "issuer", "x509", false)
    await net.pass(1)
    const statuses = async (): Promise<string[]> => {
      const verdicts = [device.der, twin].map((der) => verifier().checkCertificate(der, { receipt }))
      return (await Promise.all(verdicts)).map(({ status }) => status)
    }

    expect(parseCertificate(twin).fingerprint).not.toBe(device.certificate.fingerprint)
    expect(await statuses()).toEqual(["good", "good"])
    await maker.revoke([{ subject: parseCertificate(twin).credentialHash }], { reason: 1 })
    await net.pass(1)
    expect(await statuses()).toEqual(["revoked", "revoked"])
  })
})
