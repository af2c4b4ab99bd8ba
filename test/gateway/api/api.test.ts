import { Ajv2020 } from "ajv/dist/2020.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodePem, Verifier } from "../../../client/index.ts"
import type { Hex, Release } from "../../../client/index.ts"
import { apiRoutes, openApi } from "../../../gateway/api/index.ts"
import type { ApiContext, CertificateCheck } from "../../../gateway/api/index.ts"
import { ManifestUnreadableError, SerialStoreUnusableError } from "../../../gateway/errors/gateway.ts"
import type { SerialEntry } from "../../../gateway/store/serialMap.ts"
import type { FoundPlace } from "../../../gateway/issuers/placeFinder.ts"
import { FakeFactory, MAKER, SERIES } from "../fakeFactory.ts"
import { LiveFactory } from "../liveFactory.ts"

type Body = Record<string, unknown>
type Description = {
  openapi: string
  paths: Record<
    string,
    Partial<
      Record<
        "get" | "post",
        { operationId: string; responses: Record<string, { content: Record<string, { schema: { $ref: string } }> }> }
      >
    >
  >
}

const description = openApi() as unknown as Description
const ajv = new Ajv2020({ strict: true, allErrors: true, formats: { "date-time": isDateTime } })
ajv.addKeyword("components")
ajv.addSchema({ $id: "openapi", components: description["components" as never] })

function isDateTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) && !Number.isNaN(Date.parse(text))
}

const hash = (digit: string): Hex => `0x${digit.repeat(64)}`

type AskOptions = Partial<Pick<ApiContext, "issued" | "manifests" | "check">> & {
  find?: (hash: Hex) => Promise<SerialEntry | undefined>
  now?: number
  post?: { type?: string; body: Uint8Array }
}

/** A question to the API, and its answer held to the description. */
async function ask(
  factory: FakeFactory,
  url: string,
  { find, now = factory.now, post, ...context }: AskOptions = {},
): Promise<{ status: number; type: string | undefined; headers: Record<string, string>; body: Body }> {
  const method = post === undefined ? "GET" : "POST"
  const routes = apiRoutes({
    replica: factory.source,
    ...context,
    ...(find === undefined ? {} : { serials: { find } }),
    now: () => new Date(now * 1000),
  })
  const [path = "", query = ""] = url.split("?")
  const route = routes.find(({ methods }) => methods.includes(method))
  const answer = await route!.handle({
    method,
    path,
    query: new URLSearchParams(query),
    headers: post?.type === undefined ? {} : { "content-type": post.type },
    body: post?.body ?? new Uint8Array(0),
    clientCertificate: undefined,
    secure: false,
    remoteAddress: "127.0.0.1",
    signal: AbortSignal.timeout(10_000),
  })
  const body = JSON.parse(new TextDecoder().decode(answer.body as Uint8Array)) as Body
  const type = answer.headers["content-type"]?.split(";")[0]
  assertDescribed(method, path, answer.status, type, body)
  return { status: answer.status, type, headers: { ...answer.headers }, body }
}

/** Finds the description of a path, and validates what came from there. */
function assertDescribed(method: string, path: string, status: number, type: string | undefined, body: Body): void {
  const found = Object.entries(description.paths).find(([template]) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
  )
  if (found === undefined) return
  const ref = (method === "GET" ? found[1].get : found[1].post)?.responses[status]?.content[type ?? ""]?.schema.$ref
  const validate = ref === undefined ? undefined : ajv.getSchema(`openapi${ref}`)
  if (validate === undefined) throw new Error(`${path} is not described to answer ${status} as ${type}`)
  if (!validate(body)) throw new Error(`${path}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`)
}

describe("the JSON API", () => {
  let factory: FakeFactory
  beforeAll(async () => {
    factory = await FakeFactory.make(10)
    for (let series = 1; series <= 7; series++) factory.fleet.addBatch(MAKER, series, series)
    const controller: Hex = `0x${"c".repeat(40)}`
    factory.fleet.admit(MAKER, { controller })
    factory.fleet.admit(9, { controller, status: "suspended", suspendedUntil: factory.now + 1000 })
    const release: Release = {
      manufacturerId: MAKER,
      product: `0x${Buffer.from("lamp").toString("hex").padEnd(64, "0")}`,
      securityVersion: 3,
      imageDigest: hash("1"),
      manifestDigest: undefined,
      releasedAt: factory.now - 50,
      recalledAt: factory.now - 10,
      threshold: 2,
      signers: [2, 3],
    }
    factory.fleet.releases = (id?: number) => (id === MAKER ? [release] : []) as never[]
  })

  it("describes itself, and every answer is as described", async () => {
    const { status, body } = await ask(factory, "/v1/openapi.json")
    expect([status, body["openapi"]]).toEqual([200, "3.1.0"])
    expect(body).toEqual(JSON.parse(JSON.stringify(openApi())))
    expect(Object.keys(description.paths)).toHaveLength(7)
    // The check itself must be able to fail.
    const validate = ajv.getSchema("openapi#/components/schemas/Block")
    expect(validate?.({ number: 1, hash: "0x", timestamp: "yesterday", finality: "latest" })).toBe(false)
  })

  it("lists manufacturers with their keys, and gives one", async () => {
    const all = await ask(factory, "/v1/manufacturers")
    const one = await ask(factory, `/v1/manufacturers/${MAKER}`)
    expect((all.body["items"] as Body[]).map(({ id, status }) => [id, status])).toEqual([
      [MAKER, "active"],
      [9, "suspended"],
    ])
    expect(all.body["next"]).toBeNull()
    expect(one.body).toMatchObject({ id: MAKER, keys: [{ keyId: factory.signer.keyId, purpose: "issuer" }] })
    expect(all.headers["cache-control"]).toBe("no-store")
    expect((await ask(factory, "/v1/manufacturers/8")).status).toBe(404)
  })

  it("lists batches in parts that join without a gap, and gives one", async () => {
    const seen: unknown[] = []
    let after = ""
    for (;;) {
      const { body } = await ask(factory, `/v1/batches?limit=3${after}`)
      seen.push(...(body["items"] as Body[]).map(({ series }) => series))
      if (body["next"] === null) break
      after = `&after=${body["next"] as string}`
    }
    expect(seen).toEqual([SERIES, 1, 2, 3, 4, 5, 6, 7])
    expect((await ask(factory, "/v1/batches?manufacturer=9")).body["items"]).toEqual([])
    const one = await ask(factory, `/v1/batches/${MAKER}/${SERIES}`)
    expect(one.body).toMatchObject({ size: 10, status: "good", issuerKey: factory.signer.keyId, kind: "x509" })
    expect(one.body["block"]).toMatchObject({ number: 100 })
    expect((await ask(factory, `/v1/batches/${MAKER}/99`)).status).toBe(404)
  })

  it("lists releases, of one product too", async () => {
    const { body } = await ask(factory, "/v1/releases")
    expect(body["items"]).toMatchObject([{ productName: "lamp", securityVersion: 3, final: true, signers: [2, 3] }])
    expect((await ask(factory, "/v1/releases?product=lamp")).body["items"]).toHaveLength(1)
    expect((await ask(factory, "/v1/releases?product=stove")).body["items"]).toEqual([])
  })

  it.each([
    ["/v1/batches?limit=0", "limit"],
    ["/v1/batches?limit=1001", "limit"],
    ["/v1/batches?after=-1", "after"],
    ["/v1/batches?manufacturer=0", "manufacturer"],
    ["/v1/batches?manufacturer=1&manufacturer=2", "manufacturer"],
    ["/v1/batches?limt=5", "limt"],
    ["/v1/batches/7/0x10", "series"],
    ["/v1/manufacturers/4294967296", "manufacturer"],
    ["/v1/status/1234", "hash"],
    [`/v1/status/${hash("a")}?deviceKey=zz`, "deviceKey"],
  ])("refuses %s as a problem that names the parameter", async (url, parameter) => {
    const { status, type, body } = await ask(factory, url)
    expect([status, type, body["code"]]).toEqual([400, "application/problem+json", "REQUEST_INVALID"])
    expect(body["detail"]).toContain(`"${parameter}"`)
  })

  it("knows no other address", async () => {
    for (const path of ["/v1/", "/v1/batches/", "/v1/../etc/passwd"]) {
      expect(await ask(factory, path)).toMatchObject({ status: 404, type: "application/problem+json" })
    }
  })
})

describe("/v1/status", () => {
  it("says unknown of what is nowhere", async () => {
    const factory = await FakeFactory.make()
    const { status, body } = await ask(factory, `/v1/status/${hash("a").toUpperCase().slice(2)}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      asked: hash("a"),
      status: "unknown",
      reason: "notAnchored",
      restsOn: { kind: "nothing" },
    })
  })

  it("follows an imported certificate with its place through its life", async () => {
    const factory = await FakeFactory.make()
    const certificate = await factory.certificate(3, { serial: Uint8Array.of(0x11, 9) })
    const place = { manufacturerId: MAKER, series: SERIES, index: 3 }
    const entry = { ...factory.entryOf(certificate, place), fingerprint: certificate.fingerprint }
    const find = async (asked: Hex): Promise<SerialEntry | undefined> =>
      [entry.credentialHash, entry.fingerprint].includes(asked) ? entry : undefined
    const status = async (): Promise<Body> =>
      (await ask(factory, `/v1/status/${certificate.fingerprint}`, { find })).body

    expect(await status()).toMatchObject({
      status: "good",
      reason: null,
      credentialHash: certificate.credentialHash,
      fingerprint: certificate.fingerprint,
      manufacturer: MAKER,
      place: { series: SERIES, index: 3 },
      restsOn: { kind: "import" },
    })
    const later = { find: async () => ({ ...entry, notBefore: factory.now + 1 }) }
    expect((await ask(factory, `/v1/status/${entry.credentialHash}`, later)).body).toMatchObject({
      status: "unknown",
      reason: "certificateNotStarted",
    })

    factory.fleet.addRecord(MAKER, entry.deviceKeyId, { mark: "revoked", changedAt: factory.now - 5, reason: 1 })
    expect(await status()).toMatchObject({ status: "revoked", reason: "keyCompromise" })
  })

  it("never says good of an imported certificate without a place or a record", async () => {
    const factory = await FakeFactory.make()
    const certificate = await factory.certificate(3, { serial: Uint8Array.of(0x11, 9) })
    const entry = factory.entryOf(certificate, undefined)
    const { body } = await ask(factory, `/v1/status/${entry.credentialHash}`, { find: async () => entry })
    expect(body).toMatchObject({ status: "unknown", place: null })
  })

  it("says good of a record only with the device's key at hand, and bad news in any case", async () => {
    const factory = await FakeFactory.make()
    factory.fleet.changeKey(factory.signer.keyId, { purpose: "openIssuer" })
    const [credential, device] = [hash("c"), hash("d")]
    const record = { registeredAt: factory.now - 50, notAfter: factory.now + 5000, keyIndex: 1 }
    factory.fleet.addRecord(MAKER, credential, record)
    const status = async (more = ""): Promise<Body> => (await ask(factory, `/v1/status/${credential}${more}`)).body

    expect(await status()).toMatchObject({ status: "unknown", reason: "deviceKeyUnknown", restsOn: { kind: "record" } })
    expect(await status(`?deviceKey=${device}`)).toMatchObject({ status: "good", manufacturer: MAKER })
    expect(await status(`?deviceKey=${device}&manufacturer=9`)).toMatchObject({
      status: "unknown",
      reason: "notAnchored",
    })

    factory.fleet.addRecord(MAKER, device, { mark: "revoked", changedAt: factory.now - 5, reason: 1 })
    expect(await status(`?deviceKey=${device}`)).toMatchObject({ status: "revoked" })
    factory.fleet.addRecord(MAKER, credential, { mark: "held", changedAt: factory.now - 5, reason: 6 })
    expect(await status()).toMatchObject({ status: "onHold", reason: "certificateHold" })
  })

  it("finds a device of a registered batch by the manifest, good only with the device's key at hand", async () => {
    const factory = await FakeFactory.make()
    const { root } = factory.fleet.batch(MAKER, SERIES)!
    const place = { manufacturerId: MAKER, series: SERIES, index: 3, root }
    let found: FoundPlace = place
    const manifests = { findPlace: async (asked: Hex) => (asked === hash("c") ? found : undefined) }
    const status = async (more = ""): Promise<Body> =>
      (await ask(factory, `/v1/status/${hash("c")}${more}`, { manifests })).body

    expect(await status()).toMatchObject({ status: "unknown", reason: "deviceKeyUnknown", place: { index: 3 } })
    const key = `?deviceKey=${hash("d")}`
    expect(await status(key)).toMatchObject({
      status: "good",
      credentialHash: hash("c"),
      fingerprint: null,
      manufacturer: MAKER,
      place: { series: SERIES, index: 3 },
      restsOn: { kind: "manifest" },
    })
    // What is not final yet is not good yet.
    factory.source.settledFleet = factory.fleet.copy()
    factory.source.settledFleet.batchList.length = 0
    factory.fleet.mine()
    expect(await status(key)).toMatchObject({ status: "unknown", reason: "notFinal" })
    factory.source.settledFleet = undefined

    factory.fleet.addRecord(MAKER, hash("d"), { mark: "revoked", changedAt: factory.now, reason: 1 })
    expect(await status(key)).toMatchObject({ status: "revoked", reason: "keyCompromise" })
    factory.fleet.mark(MAKER, SERIES, 3, { reason: 5 })
    expect(await status()).toMatchObject({ status: "revoked", reason: "cessationOfOperation" })
    found = { ...place, root: hash("9") }
    expect(await status(key)).toMatchObject({ status: "unknown", reason: "notAnchored", restsOn: { kind: "nothing" } })
    found = "contested"
    expect(await status(key)).toMatchObject({
      status: "unknown",
      reason: "placeUnclear",
      restsOn: { kind: "manifest" },
    })
  })

  it("finds what was issued here, and places of what was imported without", async () => {
    const factory = await FakeFactory.make()
    const certificate = await factory.certificate(3)
    const place = { manufacturerId: MAKER, series: SERIES, index: 3 }
    const issued = {
      find: async () => ({ ...factory.entryOf(certificate, place), fingerprint: certificate.fingerprint }),
    }
    const url = `/v1/status/${certificate.fingerprint}`
    const own = await ask(factory, url, { issued })
    expect(own.body).toMatchObject({ status: "good", restsOn: { kind: "enrolment" }, place: { index: 3 } })
    const find = async (): Promise<SerialEntry> => factory.entryOf(certificate, undefined)
    const { root } = factory.fleet.batch(MAKER, SERIES)!
    const manifests = { findPlace: async (): Promise<FoundPlace> => ({ ...place, root }) }
    const imported = await ask(factory, url, { find, manifests })
    expect(imported.body).toMatchObject({ status: "good", restsOn: { kind: "import" }, place: { index: 3 } })
    const unreadable = async (): Promise<never> => {
      throw new ManifestUnreadableError({ reason: "gone" })
    }
    const gone = await ask(factory, url, { manifests: { findPlace: unreadable } })
    expect([gone.status, gone.body["code"]]).toEqual([503, "MANIFEST_UNREADABLE"])
  })

  it("does not choose between manufacturers", async () => {
    const factory = await FakeFactory.make()
    factory.fleet.admit(9)
    for (const id of [MAKER, 9]) {
      factory.fleet.addRecord(id, hash("c"), { mark: "revoked", changedAt: factory.now, reason: 0 })
    }
    const { body } = await ask(factory, `/v1/status/${hash("c")}`)
    expect(body).toMatchObject({ status: "unknown", reason: "manufacturerUnclear", manufacturer: null })
    const named = await ask(factory, `/v1/status/${hash("c")}?manufacturer=9`)
    expect(named.body).toMatchObject({ status: "revoked", reason: "unspecified", manufacturer: 9 })
  })

  it("answers 503 with Retry-After when the block is too old, the replica silent or the store gone", async () => {
    const factory = await FakeFactory.make()
    const stale = await ask(factory, `/v1/status/${hash("a")}`, { now: factory.now + 500 })
    factory.source.fault = new Error("contradiction")
    const silent = await ask(factory, "/v1/batches")
    factory.source.fault = undefined
    const find = async (): Promise<never> => {
      throw new SerialStoreUnusableError({ store: "db", reason: "gone" })
    }
    const gone = await ask(factory, `/v1/status/${hash("a")}`, { find })

    for (const { status, headers, type } of [stale, silent, gone]) {
      expect([status, headers["retry-after"], type]).toEqual([503, "5", "application/problem+json"])
    }
    expect([stale, silent, gone].map(({ body }) => body["code"])).toEqual([
      "STALE_HEAD",
      "LEDGER_SILENT",
      "SERIAL_STORE_UNUSABLE",
    ])
  })
})

describe("POST /v1/status", () => {
  let live: LiveFactory
  let check: CertificateCheck
  let factory: FakeFactory
  const DER = "application/pkix-cert"
  beforeAll(async () => {
    live = await LiveFactory.make(["good", "revoked"])
    const receipts = {
      receiptOf: async (asked: Hex) =>
        live.devices.find(({ certificate }) => certificate.credentialHash === asked)?.receipt,
    }
    check = { verifier: new Verifier({ ledger: live.replica, now: () => live.net.clock }), receipts }
    factory = await FakeFactory.make()
    await live.maker.revokePlaces(live.series, [1], 1)
    await live.replica.sync()
    await live.net.syncClock()
  })
  afterAll(async () => {
    await live?.close()
  })

  const send = (body: Uint8Array, type?: string, more: Partial<CertificateCheck> = {}): ReturnType<typeof ask> =>
    ask(factory, "/v1/status", {
      check: { ...check, ...more },
      post: { body, ...(type === undefined ? {} : { type }) },
    })

  it("checks a certificate in DER and in PEM as a verifier does", async () => {
    const { certificate, receipt } = live.devices[0]!
    const { status, body } = await send(certificate.der, DER)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: "good",
      reason: null,
      fingerprint: certificate.fingerprint,
      credentialHash: certificate.credentialHash,
      manufacturer: { id: live.maker.manufacturerId, name: "Live Works" },
      batch: { series: live.series, index: 0, size: receipt.size },
    })
    const pem = new TextEncoder().encode(encodePem("CERTIFICATE", live.devices[1]!.certificate.der))
    const bad = await send(pem, "Application/X-PEM-file; charset=us-ascii")
    expect(bad.body).toMatchObject({ status: "revoked", reason: "keyCompromise" })
  })

  it("says good of nobody whose signature, receipt or index is wrong or missing", async () => {
    const { der } = live.devices[0]!.certificate
    const forged = new Uint8Array(der)
    forged[forged.length - 1]! ^= 1
    expect((await send(forged, DER)).body).toMatchObject({ status: "unknown", reason: "signatureInvalid" })
    expect((await send(der, DER, { receipts: undefined })).body).toMatchObject({
      status: "unknown",
      reason: "notAnchored",
    })
    const receipts = {
      receiptOf: async (): Promise<never> => {
        throw new ManifestUnreadableError({ reason: "gone" })
      },
    }
    expect((await send(der, DER, { receipts })).body).toMatchObject({
      status: "unknown",
      error: { error: "ManifestUnreadableError", code: "MANIFEST_UNREADABLE" },
    })
    const { der: stranger } = await factory.certificate(0)
    expect((await send(stranger, DER)).body).toMatchObject({ status: "unknown", reason: "issuerUnknown" })
  })

  it("refuses what is no certificate, by the name of what is wrong with it", async () => {
    const { der } = live.devices[0]!.certificate
    const pem = encodePem("CERTIFICATE", der)
    const text = (words: string): Uint8Array => new TextEncoder().encode(words)
    const bodies: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /^[A-Z_]+$/],
      [der.subarray(0, 100), /^DER_/],
      [text("hello"), /^[A-Z_]+$/],
      [text(pem + pem), /^PEM_BLOCKS_MANY$/],
      [text(pem.replaceAll("CERTIFICATE", "PRIVATE KEY")), /^PEM_BLOCK_MISSING$/],
      [new Uint8Array(120_000).fill(0x30), /^[A-Z_]+$/],
    ]
    for (const [body, code] of bodies) {
      const { status, type, body: said } = await send(body, DER)
      expect([status, type]).toEqual([400, "application/problem+json"])
      expect(said["code"]).toMatch(code)
      expect(said["code"]).not.toBe("REQUEST_INVALID")
    }
    for (const type of [undefined, "text/plain", "application/json"]) {
      const { status, body } = await send(der, type)
      expect([status, body["code"]]).toEqual([415, "MEDIA_TYPE_UNKNOWN"])
    }
    const { status } = await ask(factory, "/v1/status?deviceKey=1", { check, post: { body: der, type: DER } })
    expect(status).toBe(400)
  })

  it("answers 503 when the ledger cannot be read", async () => {
    const { der } = live.devices[0]!.certificate
    factory.source.fault = new Error("contradiction")
    const silent = await send(der, DER)
    factory.source.fault = undefined
    expect([silent.status, silent.body["code"]]).toEqual([503, "LEDGER_SILENT"])
    const verifier = new Verifier({ ledger: live.replica, now: () => new Date(live.net.clock.getTime() + 500_000) })
    const stale = await send(der, DER, { verifier })
    expect([stale.status, stale.body["code"]]).toEqual([503, "STALE_HEAD"])
  })
})
