import type {
  Batch,
  BitRevocation,
  Block,
  CredentialRecord,
  Deployment,
  Evidence,
  Hex,
  Ledger,
  LedgerKey,
  LedgerView,
  Manufacturer,
} from "../../client/index.ts"
import { KeyOwnerAmbiguousError, toHex } from "../../client/index.ts"
import type { FleetState, PlaceMark } from "../../client/ledger/replica/fleetState.ts"
import type { StateView } from "../../client/ledger/replica/stateView.ts"
import { keyIdentifiersOf } from "../../client/x509/keyIdentifiers.ts"

/** What a paper fleet holds at one block. */
export type PaperFacts = {
  readonly block: Block
  readonly manufacturers: readonly Manufacturer[]
  readonly keys: readonly LedgerKey[]
  readonly batches: readonly Batch[]
  readonly records: readonly CredentialRecord[]
  readonly bits: readonly (BitRevocation & { manufacturerId: number; series: number; index: number })[]
}

const EVIDENCE: Evidence = { kind: "paper", detail: "written down for a test" }

/** A picture of a fleet in memory, of what is written down. What a verdict does not ask for is not there. */
export function paperState(facts: PaperFacts): FleetState {
  const { block, manufacturers, keys, batches, records, bits } = facts
  const unused = (): never => {
    throw new Error("no verdict asks for this")
  }
  const key = (id: number, index: number) => keys.find((one) => one.manufacturerId === id && one.index === index)
  const bitRevocation = (id: number, series: number, index: number): BitRevocation | undefined => {
    const found = bits.find((bit) => bit.manufacturerId === id && bit.series === series && bit.index === index)
    return found === undefined ? undefined : { revokedAt: found.revokedAt, reason: found.reason }
  }
  // Marks of subjects name no place here.
  const placeMarks = (id: number, series: number): PlaceMark[] =>
    bits
      .filter((bit) => bit.manufacturerId === id && bit.series === series)
      .toSorted((a, b) => a.index - b.index)
      .map(({ index, revokedAt, reason }) => ({
        index,
        mark: "revoked",
        since: revokedAt,
        reason,
        invalidityDate: undefined,
        subject: undefined,
      }))
  return {
    block,
    manufacturers: () => manufacturers,
    manufacturer: (id) => manufacturers.find((one) => one.id === id),
    keys: (id) => keys.filter(({ manufacturerId }) => manufacturerId === id),
    key,
    keyById: (keyId) => {
      const owners = keys.filter((one) => one.keyId === keyId)
      if (owners.length > 1)
        throw new KeyOwnerAmbiguousError({ keyId, owners: owners.map(({ manufacturerId }) => manufacturerId) })
      return owners[0]
    },
    keysByIdentifier: (identifier) => keys.filter(({ spki }) => keyIdentifiersOf(spki).includes(identifier)),
    batches: (id) => batches.filter(({ manufacturerId }) => manufacturerId === id),
    batch: (id, series) => batches.find((one) => one.manufacturerId === id && one.series === series),
    word: (id, series, word) =>
      bits
        .filter((bit) => bit.manufacturerId === id && bit.series === series && bit.index >> 8 === word)
        .reduce((bitsOfWord, { index }) => bitsOfWord | (1n << BigInt(index & 255)), 0n),
    bit: (id, series, index) => bitRevocation(id, series, index) !== undefined,
    bitRevocation,
    record: (id, subject) =>
      records.find((one) => one.manufacturerId === id && one.subject === subject) ?? blankRecord(id, subject),
    placeMark: (id, series, index) => placeMarks(id, series).find((mark) => mark.index === index),
    placeMarks,
    records: (id) => records.filter(({ manufacturerId }) => manufacturerId === id),
    releases: unused,
    logHead: unused,
  }
}

/** A record of a subject that nobody registered or marked. */
export function blankRecord(manufacturerId: number, subject: Hex): CredentialRecord {
  return {
    manufacturerId,
    subject,
    registeredAt: undefined,
    notAfter: undefined,
    keyIndex: 0,
    mark: "none",
    changedAt: 0,
    reason: 0,
    invalidityDate: undefined,
  }
}

/** A view that promises what the picture says: what a reader across a network is like. */
export function promisingView(state: FleetState): LedgerView {
  const later = async <Value>(answer: () => Value): Promise<Value> => {
    await Promise.resolve()
    return answer()
  }
  const unused = (): never => {
    throw new Error("no verdict asks for this")
  }
  return {
    block: state.block,
    evidence: EVIDENCE,
    manufacturer: (...ask) => later(() => state.manufacturer(...ask)),
    key: (...ask) => later(() => state.key(...ask)),
    keyById: (...ask) => later(() => state.keyById(...ask)),
    keysByIdentifier: (...ask) => later(() => state.keysByIdentifier(...ask)),
    batch: (...ask) => later(() => state.batch(...ask)),
    word: (...ask) => later(() => state.word(...ask)),
    bitRevocation: (...ask) => later(() => state.bitRevocation(...ask)),
    record: (...ask) => later(() => state.record(...ask)),
    operator: unused,
    words: unused,
    logHead: unused,
    globalLogHead: unused,
    release: unused,
    releaseByImage: unused,
    latestRelease: unused,
    minimumSecurityVersion: unused,
    releaseThreshold: unused,
    releaseTexts: unused,
  }
}

/** The same view, standing on its picture: what a replica's is like. Whoever asks it for a promise waits in vain. */
export function stateView(state: FleetState): StateView {
  const view = promisingView(state)
  const refuse = (): never => {
    throw new Error("the picture is at hand; nobody need ask for a promise")
  }
  const { block, evidence } = view
  const asked = Object.fromEntries(Object.keys(view).map((name) => [name, refuse]))
  return { ...(asked as unknown as LedgerView), block, evidence, state }
}

/** A ledger whose newest and final blocks a test sets. */
export class PaperFleet implements Ledger {
  readonly deployment: Deployment
  head: LedgerView
  settled: LedgerView
  past: LedgerView | undefined
  /** How often somebody asked for the newest blocks. */
  asked = 0

  constructor(deployment: Deployment, view: LedgerView) {
    this.deployment = deployment
    this.head = view
    this.settled = view
  }

  at(finality: string): Promise<LedgerView> {
    return Promise.resolve(finality === "latest" ? this.head : this.settled)
  }

  heads(): Promise<{ head: LedgerView; settled: LedgerView }> {
    this.asked++
    return Promise.resolve({ head: this.head, settled: this.settled })
  }

  atTime(): Promise<LedgerView> {
    return this.past === undefined ? Promise.reject(new Error("no past was written down")) : Promise.resolve(this.past)
  }
}

/** A deployment of contracts that are nowhere. */
export const PAPER_DEPLOYMENT: Deployment = {
  version: 1,
  chainId: 31337,
  block: { number: 1, hash: toHex(new Uint8Array(32).fill(1)) },
  contracts: {
    access: { address: address(1), codeHash: toHex(new Uint8Array(32)) },
    manufacturers: { address: address(2), codeHash: toHex(new Uint8Array(32)) },
    devices: { address: address(3), codeHash: toHex(new Uint8Array(32)) },
  },
}

function address(last: number): Hex {
  return toHex(new Uint8Array(20).fill(last))
}
