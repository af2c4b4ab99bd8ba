import type { Hex } from "../crypto/hex.ts"

/** A product of a manufacturer. */
export type ProductKey = { readonly manufacturerId: number; readonly product: Hex }

/** What a device keeps of earlier answers, so that nobody can take it back behind them. */
export type FirmwareMemory = {
  /** The highest minimum security version that the ledger ever showed; 0 if none. */
  minimum(product: ProductKey): Promise<number>
  rememberMinimum(product: ProductKey, minimum: number): Promise<void>
  /** The block at which the image's recall was seen before it was final; undefined if it was not, or was forgotten. */
  recallSeen(product: ProductKey, imageDigest: Hex): Promise<number | undefined>
  /** `undefined` forgets: the chain is final past that block and knows of no recall. */
  rememberRecall(product: ProductKey, imageDigest: Hex, blockNumber: number | undefined): Promise<void>
}

/** Beyond this many recalls the oldest are forgotten: by then they are final. */
const CAPACITY = 4_096

/** A memory that lives as long as the process. */
export function processFirmwareMemory(): FirmwareMemory {
  const minimums = new Map<string, number>()
  const recalls = new Map<string, number>()
  const nameOf = ({ manufacturerId, product }: ProductKey): string => `${manufacturerId}:${product}`
  return {
    minimum: async (product) => minimums.get(nameOf(product)) ?? 0,
    rememberMinimum: async (product, minimum) => {
      const name = nameOf(product)
      minimums.set(name, Math.max(minimum, minimums.get(name) ?? 0))
    },
    recallSeen: async (product, imageDigest) => recalls.get(`${nameOf(product)}:${imageDigest}`),
    rememberRecall: async (product, imageDigest, blockNumber) => {
      const name = `${nameOf(product)}:${imageDigest}`
      recalls.delete(name)
      if (blockNumber !== undefined) recalls.set(name, blockNumber)
      const [oldest] = recalls.keys()
      if (recalls.size > CAPACITY && oldest !== undefined) recalls.delete(oldest)
    },
  }
}
