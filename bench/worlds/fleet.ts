import {
  BatchIndex,
  bytesSource,
  encodeManifestHeader,
  generateP256Key,
  httpRpc,
  memoryStore,
  MerkleTreeBuilder,
  Replica,
  toHex,
} from "../../client/index.ts"
import type { Hex, KeySigner, ManufacturerClient } from "../../client/index.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import type { TestLedger } from "../../test/helpers/ledger.ts"
import { nowSeconds } from "../../test/helpers/fleet.ts"

export type BenchFleetOptions = {
  /** Credential hashes, 32 octets each, in order; given the issuer that is on the ledger. */
  readonly credentialHashes: (issuer: KeySigner) => Promise<Uint8Array> | Uint8Array
}

/** A manufacturer on a node of its own, with one batch that is final. */
export type BenchFleet = {
  readonly net: TestLedger & { url: string }
  readonly maker: ManufacturerClient
  readonly series: number
  readonly size: number
  readonly root: Hex
  /** The batch's manifest, as a file holds it. */
  readonly manifest: Uint8Array
  /** A replica that has read all there is by now, over HTTP. */
  openReplica(): Promise<Replica>
  /** An index of the manifest. */
  index(): Promise<BatchIndex>
  close(): Promise<void>
}

export async function benchFleet({ credentialHashes }: BenchFleetOptions): Promise<BenchFleet> {
  const net = await anvilLedger()
  const { deployment } = net
  const maker = await net.admit("Acme Works")
  const issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  const hashes = await credentialHashes(issuer)
  const size = hashes.length / 32
  const tree = new MerkleTreeBuilder()
  tree.appendMany(hashes)
  const root = toHex(tree.root())
  const notAfter = nowSeconds() + 1e9
  const { batch } = await maker.registerBatch({ root, size, notAfter, issuerKeyId: issuer.keyId })
  await net.pass(10)
  const header = encodeManifestHeader({
    kind: "x509",
    chainId: BigInt(deployment.chainId),
    registry: deployment.contracts.devices.address,
    manufacturerId: maker.manufacturerId,
    series: batch.series,
    size,
    root,
    notAfter,
    issuerKeyId: issuer.keyId,
  })
  const manifest = new Uint8Array(header.length + hashes.length)
  manifest.set(header)
  manifest.set(hashes, header.length)
  return {
    net,
    maker,
    series: batch.series,
    size,
    root,
    manifest,
    openReplica: async () => {
      const replica = await Replica.open({
        deployment,
        rpc: httpRpc(net.url),
        store: memoryStore(),
        now: () => net.clock,
      })
      await replica.sync()
      return replica
    },
    index: async () => {
      const index = new BatchIndex({ deployment })
      await index.add(bytesSource(manifest), batch)
      return index
    },
    close: () => net.close(),
  }
}

/** Random credential hashes. */
export function randomHashes(count: number): Uint8Array {
  const hashes = new Uint8Array(count * 32)
  for (let from = 0; from < hashes.length; from += 65_536) crypto.getRandomValues(hashes.subarray(from, from + 65_536))
  return hashes
}

/** `count` different places below `size`, at random. */
export function randomPlaces(count: number, size: number): number[] {
  const places = new Set<number>()
  while (places.size < count) places.add(Math.floor(Math.random() * size))
  return [...places]
}
