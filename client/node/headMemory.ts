import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Hex } from "../crypto/hex.ts"
import { StateFolderError } from "../errors/node.ts"
import type { Deployment } from "../ledger/deployment.ts"
import type { HeadMemory } from "../ledger/rpcLedger.ts"
import { systemReason } from "./secretFile.ts"
import { deploymentName } from "./stateFolder.ts"
import { writeFileAtomic } from "./writeFileAtomic.ts"

/**
 * The highest final block seen, in a file of its own for each deployment, so that a node cannot take the next run back in time.
 *
 * @throws StateFolderError when the file cannot be read or written, or holds something else.
 */
export function fileHeadMemory(folder: string, deployment: Deployment): HeadMemory {
  const path = join(folder, `head-${deploymentName(deployment)}.json`)
  return {
    load: () => load(path),
    save: async (head) => {
      const known = await load(path)
      // Another process may have seen more.
      if (known !== undefined && known.number >= head.number) return
      try {
        await writeFileAtomic(path, JSON.stringify({ number: head.number, hash: head.hash }))
      } catch (error) {
        const reason = error instanceof Error ? error.message : systemReason(error)
        throw new StateFolderError({ path, reason, cause: error })
      }
    },
  }
}

async function load(path: string): Promise<{ number: number; hash: Hex } | undefined> {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined
    throw new StateFolderError({ path, reason: systemReason(error), cause: error })
  }
  try {
    const { number, hash } = JSON.parse(text) as Record<string, unknown>
    if (Number.isSafeInteger(number) && typeof hash === "string" && /^0x[0-9a-f]{64}$/.test(hash)) {
      return { number: number as number, hash: hash as Hex }
    }
  } catch {
    // Falls through: neither JSON nor an object.
  }
  throw new StateFolderError({ path, reason: "it does not hold a block's number and hash; remove it to start anew" })
}
