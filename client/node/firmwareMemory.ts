import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Hex } from "../crypto/hex.ts"
import { StateFolderError } from "../errors/node.ts"
import type { FirmwareMemory, ProductKey } from "../firmware/firmwareMemory.ts"
import type { Deployment } from "../ledger/deployment.ts"
import { systemReason } from "./secretFile.ts"
import { deploymentName } from "./stateFolder.ts"
import { writeFileAtomic } from "./writeFileAtomic.ts"

type Kept = { readonly minimum: number; readonly recalls: Readonly<Record<Hex, number>> }

const NOTHING: Kept = { minimum: 0, recalls: {} }

/**
 * What was seen of each product, in a file of its own, so that nobody can take the next run back behind it.
 *
 * @throws StateFolderError when a file cannot be read or written, or holds something else.
 */
export function fileFirmwareMemory(folder: string, deployment: Deployment): FirmwareMemory {
  const pathOf = ({ manufacturerId, product }: ProductKey): string =>
    join(folder, `firmware-${deploymentName(deployment)}-${manufacturerId}-${product.slice(2)}.json`)
  const change = async (product: ProductKey, next: (kept: Kept) => Kept): Promise<void> => {
    const path = pathOf(product)
    const kept = await load(path)
    const changed = next(kept)
    if (changed === kept) return
    try {
      await writeFileAtomic(path, JSON.stringify(changed))
    } catch (error) {
      const reason = error instanceof Error ? error.message : systemReason(error)
      throw new StateFolderError({ path, reason, cause: error })
    }
  }
  return {
    minimum: async (product) => (await load(pathOf(product))).minimum,
    rememberMinimum: (product, minimum) =>
      change(product, (kept) => (minimum > kept.minimum ? { ...kept, minimum } : kept)),
    recallSeen: async (product, imageDigest) => (await load(pathOf(product))).recalls[imageDigest],
    rememberRecall: (product, imageDigest, blockNumber) =>
      change(product, (kept) => {
        const { [imageDigest]: known, ...others } = kept.recalls
        if (known === blockNumber) return kept
        return { ...kept, recalls: blockNumber === undefined ? others : { ...others, [imageDigest]: blockNumber } }
      }),
  }
}

async function load(path: string): Promise<Kept> {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return NOTHING
    throw new StateFolderError({ path, reason: systemReason(error), cause: error })
  }
  try {
    const { minimum, recalls } = JSON.parse(text) as Record<string, unknown>
    if (isCount(minimum) && isRecalls(recalls)) return { minimum, recalls }
  } catch {
    // Falls through: neither JSON nor an object.
  }
  throw new StateFolderError({ path, reason: "it does not hold what was seen of a product; remove it to start anew" })
}

function isRecalls(value: unknown): value is Kept["recalls"] {
  if (typeof value !== "object" || value === null) return false
  return Object.entries(value).every(([digest, block]) => /^0x[0-9a-f]{64}$/.test(digest) && isCount(block))
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
}
