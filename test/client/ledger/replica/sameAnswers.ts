import { expect } from "vitest"
import type { Hex, LedgerView } from "../../../../client/index.ts"

/** Everything that two views are asked for. */
export type Questions = {
  readonly manufacturers: readonly number[]
  readonly keyIndices: readonly number[]
  readonly series: readonly number[]
  /** In words of 256 places. */
  readonly words: number
  readonly places: readonly number[]
  readonly subjects: readonly Hex[]
  readonly accounts: readonly Hex[]
  readonly products: readonly Hex[]
  readonly hasFirmware: boolean
}

/** Expects two views of one block to answer alike, whatever they are asked; errors are answers too. */
export async function expectSameAnswers(found: LedgerView, told: LedgerView, questions: Questions): Promise<void> {
  const [a, b] = [await answers(found, questions), await answers(told, questions)]
  expect(a).toEqual(b)
}

async function answers(view: LedgerView, q: Questions): Promise<Record<string, unknown>> {
  const asked: [string, () => Promise<unknown>][] = []
  const ask = (name: string, question: () => Promise<unknown>): void => void asked.push([name, question])
  const contracts = ["manufacturers", "devices", ...(q.hasFirmware ? (["firmware"] as const) : [])] as const
  for (const contract of contracts) {
    ask(`global ${contract}`, () => view.globalLogHead(contract))
    ask(`log 0 ${contract}`, () => view.logHead(contract, 0))
  }
  for (const id of q.manufacturers) {
    ask(`manufacturer ${id}`, () => view.manufacturer(id))
    for (const contract of contracts) ask(`log ${id} ${contract}`, () => view.logHead(contract, id))
    for (const account of q.accounts) ask(`operator ${id} ${account}`, () => view.operator(id, account))
    for (const index of q.keyIndices) {
      ask(`key ${id} ${index}`, async () => {
        const key = await view.key(id, index)
        return key === undefined
          ? undefined
          : [key, await view.keyById(key.keyId), await view.keysByIdentifier(key.keyId)]
      })
    }
    for (const series of q.series) {
      ask(`batch ${id} ${series}`, () => view.batch(id, series))
      ask(`words ${id} ${series}`, () => view.words(id, series, 0, q.words))
      for (const place of q.places) ask(`bit ${id} ${series} ${place}`, () => view.bitRevocation(id, series, place))
    }
    for (const subject of q.subjects) ask(`record ${id} ${subject}`, () => view.record(id, subject))
    if (!q.hasFirmware) continue
    ask(`threshold ${id}`, () => view.releaseThreshold(id))
    for (const product of q.products) {
      ask(`minimum ${id} ${product}`, () => view.minimumSecurityVersion(id, product))
      ask(`latest ${id} ${product}`, async () => {
        const release = await view.latestRelease(id, product)
        if (release === undefined) return undefined
        const byImage = await view.releaseByImage(id, product, release.imageDigest)
        return [release, byImage, await view.releaseTexts(release)]
      })
      for (const version of [1, 2, 3, 4]) ask(`release ${id} ${version}`, () => view.release(id, product, version))
    }
  }
  const entries = await Promise.all(
    asked.map(async ([name, question]) => {
      const answer = await question().catch((error: unknown) => ({ error: (error as Error).message }))
      return [name, answer] as const
    }),
  )
  return Object.fromEntries(entries)
}
