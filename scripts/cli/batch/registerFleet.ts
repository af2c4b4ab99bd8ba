import type { BatchRow, BuiltBatch, Hex, KeySigner, Mined } from "../../../client/index.ts"
import { PlaceMismatchError } from "../cliError.ts"
import type { OpenWriter } from "../openWriter.ts"
import { startProgress } from "../output/progress.ts"

export type RegisterFleetParameters = {
  manufacturerId: number
  /** The issuer key that signed the certificates. */
  issuer: { keyId: Hex; spki: Uint8Array }
  rows: AsyncIterable<BatchRow> | Iterable<BatchRow>
  kind: "x509" | "rawPublicKey"
  series?: number | undefined
  /** Signs the registration, where the series or the kind of credentials demands it. */
  issuerKey?: KeySigner | undefined
  skipBad?: boolean | undefined
  /** Orders the batch, so that an index shows nothing about when a device was made. */
  shuffleSecret?: Uint8Array | undefined
  /** For hashes without an end of their own, in Unix seconds. */
  notAfter?: number | undefined
  /** Manifests of batches registered before: their credentials may not come again. */
  earlier?: readonly string[] | undefined
  /** Where the manifest is written. */
  manifest?: string | undefined
  /** Folder in which the receipts are written. */
  receipts?: string | undefined
  dryRun?: boolean | undefined
}

export type RegisteredFleet = {
  batch: BuiltBatch
  series: number
  /** Null when the batch was on the ledger already, and in a dry run. */
  transaction: Mined | null
  registered: boolean
  receipts: number
}

/**
 * Builds a batch of a fleet, writes what is handed out with it, and registers it: in this order, so that a batch on the ledger never
 * lacks its manifest. Each step looks at what is there, so that a run that was killed can be run again.
 */
export async function registerFleet(open: OpenWriter, parameters: RegisterFleetParameters): Promise<RegisteredFleet> {
  const { manufacturerId, issuer, kind, issuerKey } = parameters
  await assertIssuer(open, manufacturerId, issuer.keyId)
  const built = await build(open, parameters)
  const series = await chooseSeries(open, built, parameters)
  const batch = built.withSeries(series)
  if (issuerKey === undefined && (series >= open.client.RESERVED_SERIES || kind !== "x509")) {
    throw new open.client.IssuerSignatureMissingError({ series, kind })
  }
  if (parameters.dryRun === true) return { batch, series, transaction: null, registered: false, receipts: 0 }

  if (parameters.manifest !== undefined) await writeManifest(open, batch, parameters.manifest)
  const receipts = parameters.receipts === undefined ? 0 : await writeReceipts(open, batch, parameters.receipts)
  const { root, size, notAfter } = batch
  const { transaction } = await open.manufacturer(manufacturerId).registerBatch({
    root,
    size,
    notAfter,
    issuerKeyId: issuer.keyId,
    series,
    kind,
    ...(issuerKey === undefined ? {} : { issuer: issuerKey }),
  })
  return { batch, series, transaction, registered: true, receipts }
}

/** Before hours of work: may this key sign batches for this manufacturer at all? */
async function assertIssuer({ client, ledger }: OpenWriter, manufacturerId: number, keyId: Hex): Promise<void> {
  const view = await ledger.at("latest")
  if ((await view.manufacturer(manufacturerId)) === undefined) {
    throw new client.ManufacturerUnknownError({ manufacturerId })
  }
  const key = await view.keyById(keyId)
  if (key?.manufacturerId === manufacturerId && key.purpose === "issuer") return
  throw new client.KeyMissingError({ keyId, manufacturerId, purpose: "issuer" })
}

async function build(open: OpenWriter, parameters: RegisterFleetParameters): Promise<BuiltBatch> {
  const { client, node } = open
  const progress = startProgress("building the batch")
  const files = await Promise.all((parameters.earlier ?? []).map((path) => node.fileManifestSource(path)))
  try {
    return await client.buildBatch({
      rows: parameters.rows,
      place: { ...placeOf(open, parameters.manufacturerId), series: parameters.series },
      issuer: parameters.issuer,
      kind: parameters.kind,
      now: new Date(),
      skipBad: parameters.skipBad ?? false,
      ...(parameters.shuffleSecret === undefined ? {} : { shuffleSecret: parameters.shuffleSecret }),
      ...(parameters.notAfter === undefined ? {} : { notAfter: parameters.notAfter }),
      earlier: await Promise.all(files.map((file) => client.readManifest(file))),
      onProgress: ({ done, total }) => {
        progress.update(done, total)
      },
    })
  } finally {
    progress.stop()
    for (const file of files) await file.close()
  }
}

function placeOf(
  { deployment }: OpenWriter,
  manufacturerId: number,
): { chainId: bigint; registry: Hex; manufacturerId: number } {
  return { chainId: BigInt(deployment.chainId), registry: deployment.contracts.devices.address, manufacturerId }
}

/**
 * The series that the caller or the serial numbers name; else that of the very same batch, on the ledger or in a manifest that an
 * earlier run wrote; else the next free one.
 */
async function chooseSeries(
  open: OpenWriter,
  built: BuiltBatch,
  { manufacturerId, kind, manifest }: RegisterFleetParameters,
): Promise<number> {
  if (built.series !== undefined) return built.series
  const { client, ledger, rpc } = open
  const used = await client.usedSeries({ ledger, rpc }, await ledger.at("latest"), manufacturerId)
  const known = used.find(({ root }) => root === built.root)
  if (known !== undefined) return known.series

  const earlier = manifest === undefined ? undefined : await earlierManifest(open, manifest)
  if (earlier !== undefined) {
    assertSameBatch(open, built, manufacturerId, earlier, manifest ?? "")
    if (!used.some(({ series }) => series === earlier.series)) return earlier.series
  }
  return open.manufacturer(manufacturerId).nextSeries({ reserved: kind === "rawPublicKey" })
}

async function writeManifest(open: OpenWriter, batch: BuiltBatch, path: string): Promise<void> {
  const earlier = await earlierManifest(open, path)
  if (earlier !== undefined && (earlier.root !== batch.root || earlier.series !== batch.series)) {
    throw new open.client.OutputExistsError({ path })
  }
  await open.node.writeFileAtomic(path, batch.manifest())
}

async function writeReceipts({ node }: OpenWriter, batch: BuiltBatch, folder: string): Promise<number> {
  const progress = startProgress("writing receipts")
  try {
    return await node.writeReceipts(folder, batch.receipts(), {
      onProgress: (done) => {
        progress.update(done, batch.size)
      },
    })
  } finally {
    progress.stop()
  }
}

type Header = Awaited<ReturnType<OpenWriter["client"]["readManifestHeader"]>>

/** The header of a manifest that is there already. @throws OutputExistsError when something else is in its place. */
async function earlierManifest({ client, node }: OpenWriter, path: string): Promise<Header | undefined> {
  const { existsSync } = await import("node:fs")
  if (!existsSync(path)) return undefined
  const file = await node.fileManifestSource(path)
  try {
    return await client.readManifestHeader(file)
  } catch (error) {
    if (error instanceof client.MerkleError) throw new client.OutputExistsError({ path })
    throw error
  } finally {
    await file.close()
  }
}

function assertSameBatch(
  open: OpenWriter,
  built: BuiltBatch,
  manufacturerId: number,
  header: Header,
  path: string,
): void {
  const place = placeOf(open, manufacturerId)
  if (header.root !== built.root) throw new open.client.OutputExistsError({ path })
  if (
    header.chainId !== place.chainId ||
    header.registry !== place.registry ||
    header.manufacturerId !== manufacturerId
  ) {
    const name = (p: typeof place): string => `manufacturer ${p.manufacturerId} of ${p.registry} on chain ${p.chainId}`
    throw new PlaceMismatchError({ what: `The manifest ${path}`, expected: name(place), found: name(header) })
  }
}
