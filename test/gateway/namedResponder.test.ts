import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { encodePem, generateP256Key } from "../../client/index.ts"
import type { Replica } from "../../client/index.ts"
import { Metrics } from "../../gateway/http/metrics.ts"
import { openIssuers } from "../../gateway/openIssuers.ts"
import type { OpenIssuers } from "../../gateway/openIssuers.ts"
import { readiness, watchResponders } from "../../gateway/watch.ts"
import { FakeFactory } from "./fakeFactory.ts"

const YEAR = 365 * 86_400
const LOG = pino({ level: "silent" })
let factory: FakeFactory
let folder: string
let opened: OpenIssuers | undefined

beforeEach(async () => {
  factory = await FakeFactory.make(1)
  folder = mkdtempSync(join(tmpdir(), "fleetroot-named-"))
  write("ca.pem", encodePem("CERTIFICATE", factory.issuer.certificate.der))
})

afterEach(() => {
  vi.useRealTimers()
  opened?.close()
  opened = undefined
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}

/** Writes a responder's certificate and key over those that are there. */
async function writeResponder({ purposes = ["1.3.6.1.5.5.7.3.9"] } = {}): Promise<string> {
  const key = await generateP256Key()
  const certificate = await factory.certificate(0, { key, purposes, serial: Uint8Array.of(9), name: "responder" })
  write("responder.pem", encodePem("CERTIFICATE", certificate.der))
  write("responder.key", encodePem("PRIVATE KEY", await key.exportPkcs8()))
  return certificate.keyId
}

async function open(): Promise<OpenIssuers> {
  const at = (name: string): string => join(folder, name)
  opened = await openIssuers(
    [
      {
        certificate: at("ca.pem"),
        key: undefined,
        manufacturer: undefined,
        label: undefined,
        responder: { certificate: at("responder.pem"), key: { kind: "file", path: at("responder.key") } },
      },
    ],
    LOG,
  )
  return opened
}

async function signsNow({ issuers }: OpenIssuers): Promise<string> {
  const { signer, certificate } = await issuers[0]!.issuer.responder!.at(factory.now)
  expect(signer.keyId).toBe(certificate.keyId)
  expect(issuers[0]!.responderCertificate?.keyId).toBe(certificate.keyId)
  return certificate.keyId
}

it("is read again, whole or not at all", async () => {
  const first = await writeResponder()
  const opened = await open()
  expect(await signsNow(opened)).toBe(first)

  const second = await writeResponder()
  expect(await signsNow(opened)).toBe(first)
  await opened.reloadResponders()
  expect(await signsNow(opened)).toBe(second)

  await writeResponder({ purposes: ["1.3.6.1.5.5.7.3.2"] })
  await expect(opened.reloadResponders()).rejects.toMatchObject({ code: "RESPONDER_UNFIT" })
  expect(await signsNow(opened)).toBe(second)
  await writeResponder()
  write("responder.key", encodePem("PRIVATE KEY", await (await generateP256Key()).exportPkcs8()))
  await expect(opened.reloadResponders()).rejects.toMatchObject({ code: "RESPONDER_UNFIT" })
  rmSync(join(folder, "responder.pem"))
  await expect(opened.reloadResponders()).rejects.toThrow()
  expect(await signsNow(opened)).toBe(second)
})

it("shows in readiness and in a number when it ends, and that its issuer is compromised", async () => {
  await writeResponder()
  const { issuers } = await open()
  const status = { block: factory.fleet.block, finalized: undefined, lagSeconds: 1, refusing: false, entries: 0 }
  const replica = { head: factory.fleet, status: { ...status, fault: undefined, syncedAt: undefined } }
  const watched = { replica: replica as unknown as Replica, issuers, maxAgeSeconds: 100, tried: () => true }
  const metrics = new Metrics()
  watchResponders(metrics, issuers)
  const line = async (): Promise<number> => {
    const text = await metrics.registry.metrics()
    return Number(/^fleetroot_ocsp_responder_seconds_left\{issuer="0x[0-9a-f]{64}"\} (\S+)$/m.exec(text)?.[1])
  }
  const at = (seconds: number): void => {
    vi.useFakeTimers({ toFake: ["Date"], now: seconds * 1000 })
  }

  at(factory.now)
  expect(readiness(watched)).toMatchObject({ ready: true, warnings: [] })
  expect(await line()).toBe(YEAR)
  at(factory.now + YEAR + 1)
  expect(await line()).toBe(-1)
  expect(readiness(watched)["warnings"]).toEqual([
    expect.stringContaining("its OCSP responder's certificate has expired"),
  ])
  at(factory.now - YEAR)
  expect(readiness(watched)["warnings"]).toEqual([expect.stringContaining("certificate is not valid yet")])
  at(factory.now)
  factory.fleet.changeKey(factory.signer.keyId, { compromisedSince: factory.now - 1 })
  expect(readiness(watched)["warnings"]).toEqual([
    expect.stringContaining("is compromised: all its devices are revoked"),
  ])
})
