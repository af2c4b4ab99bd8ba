import type { FleetrootError, Hex, ManifestSource, ReceiptSource } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"
import { startProgress } from "../output/progress.ts"

/** Where receipts may be found, as the options name it. */
export type ReceiptOptions = { receipt?: string; receipts?: string; manifest?: string[] }

/** Receipts from all places that were named, in their order; closed when nobody asks any more. */
export type OpenReceipts = ReceiptSource & {
  /** What was wrong with the receipt of a credential: it counts as having none, and the answer tells. */
  readonly errors: ReadonlyMap<Hex, FleetrootError>
  close(): Promise<void>
}

/** Opens every source at once, so that a wrong path is told before any work. @throws InputPathError, MerkleError */
export async function openReceipts(open: OpenLedger, options: ReceiptOptions): Promise<OpenReceipts> {
  const { client, node } = open
  const sources: ReceiptSource[] = []
  const files: { close(): Promise<void> }[] = []
  const errors = new Map<Hex, FleetrootError>()

  if (options.receipt !== undefined) sources.push(client.oneReceipt(await node.receiptFromFile(options.receipt)))
  if (options.receipts !== undefined) sources.push(await node.receiptsFromFolder(options.receipts))
  for (const path of options.manifest ?? []) {
    const progress = startProgress("reading the manifest")
    try {
      const manifest = await client.readManifest(await openManifest(open, path, files), {
        onProgress: (done, size) => {
          progress.update(done, size)
        },
      })
      sources.push(await client.receiptsFromManifest(manifest))
    } finally {
      progress.stop()
    }
  }
  return {
    errors,
    receiptOf: async (credentialHash) => {
      for (const source of sources) {
        try {
          const receipt = await source.receiptOf(credentialHash)
          if (receipt !== undefined) return receipt
        } catch (error) {
          if (!(error instanceof client.FleetrootError)) throw error
          errors.set(credentialHash, error)
        }
      }
      return undefined
    },
    close: async () => {
      for (const file of files) await file.close()
    },
  }
}

/** A manifest from a file, or from a web server, which is believed in nothing: whatever it serves must lead to the root. */
async function openManifest(
  { client, node }: OpenLedger,
  place: string,
  files: { close(): Promise<void> }[],
): Promise<ManifestSource> {
  if (/^https?:\/\//.test(place)) return client.httpManifestSource(place)
  const file = await node.fileManifestSource(place)
  files.push(file)
  return file
}

/** The options that name receipts, for commander. */
export const RECEIPT_OPTIONS = {
  receipt: ["--receipt <file>", "the credential's receipt"],
  receipts: ["--receipts <dir>", "folder of receipts, as `batch register` writes it"],
  manifest: ["--manifest <file or URL>", "the batch's manifest, in place of receipts; may be repeated"],
} as const

/** Collects the values of an option that may be repeated, for commander. */
export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value]
}
