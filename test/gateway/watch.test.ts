import { afterEach, expect, it, vi } from "vitest"
import { CrlBook } from "../../gateway/crl/index.ts"
import { Metrics } from "../../gateway/http/metrics.ts"
import { watchCrls } from "../../gateway/watch.ts"
import { FakeFactory } from "./fakeFactory.ts"

afterEach(() => {
  vi.useRealTimers()
})

it("counts down what is left of a CRL while the ledger is silent", async () => {
  const factory = await FakeFactory.make(1)
  const book = new CrlBook({ replica: factory.source, issuers: [factory.issuer], publicUrl: "http://gateway.example" })
  const metrics = new Metrics()
  watchCrls(metrics, book)
  const { nextUpdate } = await book.complete(factory.signer.keyId)
  factory.source.fault = new Error("silent")
  vi.useFakeTimers({ toFake: ["Date"], now: (nextUpdate - 500) * 1000 })
  expect((await book.complete(factory.signer.keyId)).nextUpdate).toBe(nextUpdate)
  expect(await metrics.registry.metrics()).toMatch(/^fleetroot_crl_seconds_left\{issuer="0x[0-9a-f]{64}"\} 500$/m)
  book.close()
})
