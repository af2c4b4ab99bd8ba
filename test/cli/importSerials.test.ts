import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import * as client from "../../client/index.ts"
import * as node from "../../client/node/index.ts"
import { importSerials } from "../../scripts/cli/gateway/importSerials.ts"
import { ImportRefusedError } from "../../scripts/cli/gateway/importErrors.ts"
import type { Imported } from "../../scripts/cli/gateway/importSerials.ts"
import type { OpenLedger } from "../../scripts/cli/openLedger.ts"
import { openSerialStore } from "../../gateway/index.ts"
import { PaperFleet, promisingView } from "../helpers/paperFleet.ts"
import { FakeFactory, MAKER } from "../gateway/fakeFactory.ts"
import { DEPLOYMENT } from "../gateway/fakeFleet.ts"
import type { FakeFleet } from "../gateway/fakeFleet.ts"
import { tempFolder } from "./tempFolder.ts"

const folder = tempFolder()
afterAll(folder.remove)

const SERIES = 4
const factory = await FakeFactory.make()
const certificate = await factory.certificate(0, { serial: Uint8Array.of(0x21, 7) })
const path = join(folder.path, "device.pem")
const issuer = join(folder.path, "ca.pem")
writeFileSync(path, client.encodePem("CERTIFICATE", certificate.der))
writeFileSync(issuer, client.encodePem("CERTIFICATE", factory.issuer.certificate.der))

const before = factory.fleet.copy()
const root = client.toHex(client.MerkleTree.fromCredentialHashes([client.fromHex(certificate.credentialHash)]).root())
factory.fleet.mine().addBatch(MAKER, SERIES, 1, { root })

async function importAt(head: FakeFleet, settled: FakeFleet): Promise<Imported> {
  const ledger = new PaperFleet(DEPLOYMENT, promisingView(head))
  ledger.settled = promisingView(settled)
  const open = { client, node, deployment: DEPLOYMENT, ledger } as unknown as OpenLedger
  const receipt = {
    chainId: BigInt(DEPLOYMENT.chainId),
    registry: DEPLOYMENT.contracts.devices.address,
    manufacturerId: MAKER,
    series: SERIES,
    size: 1,
    index: 0,
    proof: [],
  }
  const receipts = { receiptOf: async () => receipt, errors: new Map(), close: async () => undefined }
  const progress = { update: () => undefined, stop: () => undefined }
  const store = await openSerialStore({ state: folder.path, database: undefined })
  try {
    return await importSerials({ open, store, path, receipts, issuer, progress })
  } finally {
    await store.close()
  }
}

describe("Importing a certificate with its receipt", () => {
  it("takes no place from a batch that a reorganisation may take away", async () => {
    const refused = importAt(factory.fleet, before)
    await expect(refused).rejects.toThrow(ImportRefusedError)
    await expect(refused).rejects.toMatchObject({
      findings: [{ message: "Its receipt is for batch 4, whose block is not final yet; import it when it is." }],
    })
  })

  it("takes no place among raw public keys", async () => {
    const raw = factory.fleet.copy()
    raw.changeBatch(MAKER, SERIES, { rawPublicKeys: true })
    await expect(importAt(raw, raw)).rejects.toMatchObject({
      findings: [{ message: "Its receipt is for batch 4, which holds raw public keys." }],
    })
  })

  it("takes it once the batch is final", async () => {
    expect(await importAt(factory.fleet, factory.fleet)).toMatchObject({ added: 1, placed: 1 })
  })
})
