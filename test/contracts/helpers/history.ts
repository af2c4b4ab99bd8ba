import { fromHex, MerkleTree, sha256, toHex } from "../../../client/index.ts"
import type { Hex } from "../../../client/index.ts"
import {
  addKeyCall,
  at,
  batchForCall,
  FAR,
  hashOf,
  payloadOf,
  pseudoRandom,
  selfCall,
  send,
  signLow,
  testKey,
} from "./stage.ts"
import type { Call, Stage } from "./stage.ts"

/** What a history was about, so that everything in it can be asked for. */
export type History = {
  manufacturers: readonly number[]
  series: readonly number[]
  size: number
  credentials: readonly Hex[]
  deviceKeyIds: readonly Hex[]
  tree: MerkleTree
  operators: readonly Hex[]
}

const CONSORTIUM = 0
const GUARDIAN = 1
const controllerOf = (manufacturerId: number): number => 1 + manufacturerId
const OPERATOR = 6
const OUTSIDER = 8
const SIZE = 300
const SERIES = [1, 2, 2 ** 31]

/**
 * Makes a history of about `steps` accepted calls, of every kind, always the same for one seed. Calls that are refused leave nothing
 * behind and are tried no further.
 */
export async function makeHistory(stage: Stage, seed: string, steps: number): Promise<History> {
  const random = pseudoRandom(seed)
  const { devices, manufacturers, accounts } = stage
  const man = (functionName: string, ...args: unknown[]): Call => ({ contract: manufacturers, functionName, args })
  const dev = (functionName: string, ...args: unknown[]): Call => ({ contract: devices, functionName, args })
  const device = testKey("device")
  const credentials = Array.from({ length: SIZE }, (_, i) => hashOf(`${seed} credential ${i}`))
  credentials[7] = toHex(sha256(payloadOf(device)))
  const tree = MerkleTree.fromCredentialHashes(credentials.map((hash) => fromHex(hash)))
  const root = toHex(tree.root())
  const proof = tree.inclusionProof(7).map((node) => toHex(node))
  const issuers = [1, 2, 3].map((m) => testKey(`issuer ${m}`))
  const openIssuers = [1, 2, 3].map((m) => testKey(`open issuer ${m}`))

  for (const m of [1, 2, 3]) {
    const controller = controllerOf(m)
    await send(stage, CONSORTIUM, man("admit", at(accounts, controller).address, `Maker ${m}`, `https://${m}.example`))
    await send(stage, controller, addKeyCall(stage, m, at(issuers, m - 1), "issuer"))
    await send(stage, controller, addKeyCall(stage, m, at(openIssuers, m - 1), "openIssuer"))
    await send(stage, controller, man("setOperator", m, at(accounts, OPERATOR).address, 7, FAR))
  }

  const hot = [0, 1, 7, 255, 256, 257, SIZE - 1]
  const subject = (): Hex => at(credentials, at(hot, random(hot.length)))
  const target = () => ({ subject: random(5) === 0 ? device.keyId : subject(), series: random(2), index: random(SIZE) })
  const now = async (): Promise<number> => Number((await stage.client.getBlock()).timestamp)
  const kinds: ((m: number) => Promise<[number, Call]> | [number, Call])[] = [
    (m) => [
      OPERATOR,
      dev("registerBatch", m, { series: at(SERIES, random(2)), size: SIZE, keyIndex: 1, notAfter: FAR, root }),
    ],
    (m) => {
      const input = { series: at(SERIES, random(3)), size: SIZE, keyIndex: 1, notAfter: FAR, root }
      return [OUTSIDER, batchForCall(stage, m, at(issuers, m - 1), input, random(3) === 0 ? "x509" : "rawPublicKey")]
    },
    (m) => [OPERATOR, dev("registerCredentials", m, 2, [subject(), hashOf(`${seed} ${random(9)}`)], [FAR, 0])],
    (m) => {
      const message = new TextEncoder().encode(`${seed} ${random(9)}`)
      const { r, s } = signLow(at(openIssuers, m - 1), message)
      return [OUTSIDER, dev("registerIssued", m, 2, toHex(sha256(message)), r, s)]
    },
    (m) => [OPERATOR, dev("revoke", m, [target(), target()], random(6), random(2) * 1_700_000_000)],
    (m) => [OPERATOR, dev("hold", m, [target()])],
    async (m) => {
      const { subject: held, ...place } = target()
      const { changedAt } = await devices.read.record([m, held])
      return [OPERATOR, dev("unhold", m, [{ subject: held, ...place }], [changedAt])]
    },
    (m) => [
      OPERATOR,
      dev(
        "revokeWords",
        m,
        at(SERIES, random(3)),
        [random(2)],
        [(1n << BigInt(random(256))) | (1n << BigInt(random(40)))],
        4,
      ),
    ],
    (m) => [OPERATOR, dev("holdBatch", m, at(SERIES, random(3)))],
    async (m) => {
      const series = at(SERIES, random(3))
      return [OPERATOR, dev("unholdBatch", m, series, (await devices.read.batch([m, series])).changedAt)]
    },
    (m) => [OPERATOR, random(4) === 0 ? dev("revokeBatch", m, at(SERIES, random(3)), 4) : dev("hold", m, [target()])],
    (m) => [OUTSIDER, selfCall(stage, m, device, { series: at(SERIES, random(3)), index: 7, proof })],
    (m) => [GUARDIAN, man("suspend", m)],
    (m) => [CONSORTIUM, man(random(2) === 0 ? "confirmSuspension" : "resume", m)],
    (m) => [CONSORTIUM, man("resume", m)],
    async (m) => [CONSORTIUM, man("declareCompromiseFor", m, 2, (await now()) - random(2))],
    async (m) => [controllerOf(m), man("declareCompromise", m, 1 + random(4), (await now()) - random(3))],
    (m) => [controllerOf(m), addKeyCall(stage, m, testKey(`spare ${random(9)}`), "firmware")],
    (m) => [controllerOf(m), man("revokeKey", m, 3 + random(3))],
    (m) => [controllerOf(m), man("setMetadataURI", m, `https://${m}.example/${random(99)}`)],
    async (m) => [
      controllerOf(m),
      man("setOperator", m, at(accounts, 7).address, random(8), (await now()) + 9 + random(999)),
    ],
    (m) => [controllerOf(m), man("transferController", m, at(accounts, 7 * random(2)).address)],
    (m) => [CONSORTIUM, man("proposeController", m, at(accounts, controllerOf(m)).address)],
    (m) => [
      random(2) === 0 ? controllerOf(m) : CONSORTIUM,
      man(random(2) === 0 ? "vetoReplacement" : "replaceController", m),
    ],
  ]

  for (let accepted = 0, tries = 0; accepted < steps && tries < 6 * steps; tries++) {
    const [account, call] = await at(kinds, tries % kinds.length)(1 + random(3))
    if (random(6) === 0) await passTime(stage, at([1, 3_600, 14 * 86_400, 30 * 86_400], random(4)))
    if (!(await isAccepted(stage, account, call))) continue
    await send(stage, account, call)
    accepted++
  }
  // What happens once: a departure, and a successor.
  await send(stage, CONSORTIUM, dev("proposeSuccessor", 10n, at(accounts, OUTSIDER).address, hashOf("code")))
  if (await isAccepted(stage, controllerOf(3), man("resign", 3))) await send(stage, controllerOf(3), man("resign", 3))

  return {
    manufacturers: [1, 2, 3],
    series: SERIES,
    size: SIZE,
    credentials: [
      ...hot.map((index) => at(credentials, index)),
      ...Array.from({ length: 9 }, (_, i) => hashOf(`${seed} ${i}`)),
    ],
    deviceKeyIds: [device.keyId, hashOf("no device key")],
    tree,
    operators: [at(accounts, OPERATOR).address, at(accounts, 7).address],
  }
}

export async function passTime(stage: Stage, seconds: number): Promise<void> {
  await stage.provider.request({ method: "evm_increaseTime", params: [seconds] })
  await stage.provider.request({ method: "evm_mine", params: [] })
}

async function isAccepted(stage: Stage, account: number, { contract, functionName, args }: Call): Promise<boolean> {
  const request = {
    account: at(stage.accounts, account).address,
    address: contract.address,
    abi: contract.abi,
    functionName,
    args,
  }
  return stage.client.simulateContract(request as never).then(
    () => true,
    () => false,
  )
}
