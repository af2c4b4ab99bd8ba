import { httpManifestSource, readManifest, receiptsFromManifest, type Hex, type Receipt } from "../client/index.ts"
import { fileManifestSource, receiptsFromFolder } from "../client/node/index.ts"

/** Where the receipts of devices are found whose certificates were made elsewhere. */
export type DeviceReceiptsConfig = {
  /** Folder of receipts; one that comes later is found too. */
  readonly receipts?: string
  /** Manifests: files, or addresses of any web server. */
  readonly manifests?: readonly string[]
}

export type DeviceReceipts = {
  receiptOf(credentialHash: Hex): Promise<Receipt | undefined>
  close(): Promise<void>
}

/**
 * Opens all of it. Nothing here is believed: what a receipt says is checked against the ledger whenever it is used.
 *
 * @throws InputPathError, FleetFileError, the errors of manifests and of mirrors.
 */
export async function openDeviceReceipts({ receipts, manifests = [] }: DeviceReceiptsConfig): Promise<DeviceReceipts> {
  const files: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const file of files.splice(0)) await file.close()
  }
  const open = async (place: string): ReturnType<typeof receiptsFromManifest> => {
    if (isUrl(place)) return receiptsFromManifest(await readManifest(await httpManifestSource(place)))
    const file = await fileManifestSource(place)
    files.push(file)
    return receiptsFromManifest(await readManifest(file))
  }
  try {
    const sources = receipts === undefined ? [] : [await receiptsFromFolder(receipts)]
    for (const place of manifests) sources.push(await open(place))
    return {
      receiptOf: async (credentialHash) => {
        for (const source of sources) {
          const receipt = await source.receiptOf(credentialHash)
          if (receipt !== undefined) return receipt
        }
        return undefined
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Whether a place is on a web server. */
export function isUrl(place: string): boolean {
  return /^https?:\/\//.test(place)
}
