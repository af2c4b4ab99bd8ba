import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Verifier } from "../../../../client/index.ts"
import type { JsonRpc, Ledger } from "../../../../client/index.ts"
import { HeadRolledBackError } from "../../../../client/errors/ledger.ts"
import { QuorumDisputedError, QuorumMissingError, QuorumSizeError } from "../../../../client/errors/proofs.ts"
import { QuorumLedger } from "../../../../client/ledger/quorum/quorumLedger.ts"
import { anvilLedger } from "../../../helpers/anvil.ts"
import { freshLedger } from "../../../helpers/ledger.ts"
import type { TestLedger } from "../../../helpers/ledger.ts"
import { populate, verdictOf } from "../proven/world.ts"
import type { Case } from "../proven/world.ts"
import { flipping, lagging, MISBEHAVIOURS, node, tampering } from "./nodes.ts"
import type { Behaviour } from "./nodes.ts"

/** Whoever is waited for that long fails the test: nobody may hold up a quorum. */
const FOR_EVER = 600_000
/** Where everybody answers, however busy the machine is. */
const PATIENT = { patienceMs: 2_000, timeoutMs: FOR_EVER }
/** Where somebody never does, and others do. */
const HASTY = { patienceMs: 40, timeoutMs: FOR_EVER }
/** Where too few ever do. */
const BRIEF = { patienceMs: 40, timeoutMs: 1_500 }
const isSilent = (what: string): boolean => what.startsWith("never")
const HONEST: Behaviour = (call, next) => next(call)

type Build = (endpoints: readonly JsonRpc[], k: number, patience?: typeof PATIENT) => Ledger

describe.each(["EDR", "Anvil"])("a quorum on %s", (kind) => {
  let net: TestLedger
  let cases: Case[]
  let expected: object[]

  beforeAll(async () => {
    net = kind === "EDR" ? await freshLedger() : await anvilLedger()
    cases = await populate(net)
    expected = await Promise.all(cases.map((one) => verdictOf(net, net.ledger, one)))
  })
  afterAll(() => net.close())

  const WAYS: [string, Build][] = [
    [
      "believing values",
      (endpoints, k, patience = PATIENT) => new QuorumLedger({ deployment: net.deployment, endpoints, k, ...patience }),
    ],
    [
      "with state proofs",
      (endpoints, k, patience = PATIENT) =>
        QuorumLedger.proven({ deployment: net.deployment, endpoints, k, ...patience }),
    ],
  ]
  const nodes = (...behaviours: readonly Behaviour[]): JsonRpc[] =>
    behaviours.map((behaviour, i) => node(net.rpc, `node ${i}`, behaviour))
  const checked = async (ledger: Ledger, one: Case) =>
    new Verifier({ ledger, now: () => net.clock }).checkCertificate(one.der, one.options)
  const good = (): Case => cases[0] as Case

  describe.each(WAYS)("%s", (way, build) => {
    it("gives the verdicts that one believed node gives", async () => {
      const ledger = build(nodes(HONEST, HONEST, HONEST), 2)
      for (const [i, one] of cases.entries()) {
        expect(await verdictOf(net, ledger, one), `verdict on ${one.name}`).toEqual(expected[i])
      }
    })

    it("says who agreed", async () => {
      const { evidence } = await checked(build(nodes(HONEST, HONEST, HONEST), 2), good())
      expect(evidence[0]).toMatchObject({ kind: "quorum" })
      expect(evidence[0]?.detail).toMatch(/endpoints agree on block \d+: node 0, node 1/)
      const { evidence: one } = await checked(build(nodes(HONEST), 1), good())
      expect(one[0]).toMatchObject({ kind: "singleNode" })
    })

    it.each(Object.entries(MISBEHAVIOURS))("does not mind one of three that %s", async (what, behaviour) => {
      const one = cases[1] as Case
      const strong = cases.find(({ name }) => name === "one of a P-384 key") as Case
      // Wherever the bad one stands.
      for (const behaviours of [
        [behaviour, HONEST, HONEST],
        [HONEST, HONEST, behaviour],
      ]) {
        const ledger = build(nodes(...behaviours), 2, isSilent(what) ? HASTY : PATIENT)
        expect(await verdictOf(net, ledger, good())).toEqual(expected[0])
        expect(await verdictOf(net, ledger, one)).toEqual(expected[1])
        expect(await verdictOf(net, ledger, strong)).toMatchObject({ status: "good" })
      }
    })

    it("does not mind two of five that flip digits, of whatever", async () => {
      for (let seed = 10; seed < 14; seed++) {
        const ledger = build(nodes(flipping(seed), HONEST, flipping(seed + 50, 2), HONEST, HONEST), 3)
        for (const [i, one] of cases.entries()) {
          expect(await verdictOf(net, ledger, one), `verdict on ${one.name}, seed ${seed}`).toEqual(expected[i])
        }
      }
    })

    it("lists what the minority did", async () => {
      const down = MISBEHAVIOURS["is down"] as Behaviour
      const { evidence } = await checked(build(nodes(HONEST, down, HONEST), 2), good())
      expect(evidence[0]?.detail).toContain("node 1: ENDPOINT_UNREACHABLE")
      const { evidence: late } = await checked(build(nodes(lagging(2), HONEST, HONEST), 2), good())
      expect(late[0]?.detail).toContain("node 0: 2 blocks behind")
      const other = MISBEHAVIOURS["is on another chain"] as Behaviour
      const { evidence: wrong } = await checked(build(nodes(HONEST, HONEST, other), 2), good())
      expect(wrong[0]?.detail).toContain("node 2: CHAIN_MISMATCH")
    })

    it.each(Object.entries(MISBEHAVIOURS))(
      "has no good answer when all but one of three %s",
      async (what, behaviour) => {
        const ledger = build(nodes(behaviour, HONEST, behaviour), 2, isSilent(what) ? BRIEF : PATIENT)
        const outcome = await verdictOf(net, ledger, cases[1] as Case).catch((error: unknown) => error)
        // What only concerns values is no way to lie where values are proven; and who merely lags tells no lie.
        expect(outcome).not.toMatchObject({ status: "good" })
        const decisive = ["is down", "never answers", "answers garbage", "answers null", "is on another chain"]
        if (decisive.includes(what)) expect(outcome).toBeInstanceOf(QuorumMissingError)
      },
    )

    it("names the missing quorum and what each endpoint did", async () => {
      const down = MISBEHAVIOURS["is down"] as Behaviour
      const ledger = build(nodes(down, HONEST, down), 2)
      const error = (await ledger.at("latest").catch((thrown: unknown) => thrown)) as QuorumMissingError
      expect(error).toBeInstanceOf(QuorumMissingError)
      expect(error.needed).toBe(2)
      expect(error.endpoints).toHaveLength(3)
      expect(error.endpoints[0]).toEqual({ endpoint: "node 0", state: "ENDPOINT_UNREACHABLE" })
      expect(error.endpoints[1]?.state).toMatch(/^block \d+/)
    })

    it("takes the highest block that enough have", async () => {
      const newest = Number(await net.ask("eth_blockNumber"))
      const at = async (...behaviours: Behaviour[]): Promise<number> => {
        const { block } = await build(nodes(...behaviours), 2).at("latest")
        return block.number
      }
      expect(await at(HONEST, HONEST, lagging(3))).toBe(newest)
      expect(await at(HONEST, lagging(1), lagging(3))).toBe(newest - 1)
      expect(await at(lagging(1), lagging(2), lagging(3))).toBe(newest - 2)
      const ahead = MISBEHAVIOURS["claims to be far ahead"] as Behaviour
      // It has the block, whatever it says of others.
      expect(await at(lagging(1), ahead, HONEST)).toBe(newest)
      expect(await at(lagging(1), ahead, lagging(2))).toBe(newest - 1)
    })

    it("goes below a fork at the tip", async () => {
      const newest = Number(await net.ask("eth_blockNumber"))
      const fork = (digit: string): Behaviour =>
        tampering((call, result) => {
          const block = result as { number?: string } | null
          const tip = call.method === "eth_getBlockByNumber" && Number(block?.number) === newest
          return tip ? { ...block, hash: `0x${digit.repeat(64)}` } : result
        })
      const { block } = await build(nodes(fork("1"), fork("2"), HONEST), 2).at("latest")
      expect(block.number).toBe(newest - 1)
    })

    it("does not choose between two groups that are both large enough", async () => {
      const fork = MISBEHAVIOURS["lies about hashes"] as Behaviour
      const ledger = build(nodes(HONEST, HONEST, fork, fork), 2)
      await expect(ledger.at("latest")).rejects.toThrow(QuorumDisputedError)
    })

    it("does not let a quorum take back what was final", async () => {
      let lost = false
      const forgetful: Behaviour = async (call, next) => {
        const at = String(call.params[0])
        const named = call.method === "eth_getBlockByNumber" && at.startsWith("0x") && at !== "0x0"
        return lost && named ? null : next(call)
      }
      const ledger = build(nodes(forgetful, forgetful, forgetful), 2)
      await ledger.at("finalized")
      await net.pass(1)
      expected = await Promise.all(cases.map((one) => verdictOf(net, net.ledger, one)))
      lost = true
      await expect(ledger.at("finalized")).rejects.toThrow(HeadRolledBackError)
    })

    it("answers for past times as one node does", async () => {
      const past = { ...good(), options: { ...good().options, at: new Date(net.clock.getTime() - 1_000) } }
      const lying = MISBEHAVIOURS["lies about time"] as Behaviour
      const ledger = build(nodes(HONEST, lying, HONEST), 2)
      expect(await verdictOf(net, ledger, past)).toEqual(await verdictOf(net, net.ledger, past))
    })

    it("doubts what one node alone disputes, and believes what the quorum shows", async () => {
      const target = cases.find(({ name }) => name === "one of the second issuer key") as Case
      const snapshot = await net.ask("evm_snapshot")
      const [subject] = target.interest.subjects ?? []
      if (subject === undefined) throw new Error("no subject")
      const before = Number(await net.ask("eth_blockNumber"))
      await net.manufacturer(1).revoke([{ subject }], { reason: 1 })
      await net.syncClock()
      const ahead = Number(await net.ask("eth_blockNumber")) - before
      expect(ahead).toBe(1)

      const alone = await checked(build(nodes(lagging(1), HONEST, lagging(1)), 2), target)
      expect(alone).toMatchObject({ status: "unknown", reason: "revocationUnconfirmed" })
      const shown = await checked(build(nodes(lagging(1), HONEST, HONEST), 2), target)
      expect(shown).toMatchObject({ status: "revoked", reason: "keyCompromise" })
      // Of others it says nothing.
      expect(await checked(build(nodes(lagging(1), HONEST, lagging(1)), 2), good())).toMatchObject({ status: "good" })

      await net.ask("evm_revert", snapshot)
      await net.syncClock()
    })

    if (way === "with state proofs") {
      it("is not moved by a lone claim that shows no proof", async () => {
        const newest = Number(await net.ask("eth_blockNumber"))
        const dreaming: Behaviour = tampering((call, result) => {
          if (call.method === "eth_call") return String(result).replaceAll("00", "01")
          const block = result as Record<string, unknown> | null
          if (call.method !== "eth_getBlockByNumber" || call.params[0] !== "latest") return result
          return { ...block, number: `0x${(newest + 1).toString(16)}`, parentHash: block?.["hash"] }
        })
        const ledger = build(nodes(HONEST, dreaming, HONEST), 2)
        expect(await verdictOf(net, ledger, good())).toMatchObject({ status: "good" })
      })

      it("needs one honest endpoint for proofs, wherever it stands", async () => {
        const forging = MISBEHAVIOURS["forges proofs"] as Behaviour
        const ledger = build(nodes(forging, forging, HONEST), 2)
        const verdict = await checked(ledger, good())
        expect(verdict).toMatchObject({ status: "good" })
        expect(verdict.evidence[0]?.detail).toMatch(/node \d gave no valid proof \(STATE_PROOF_INVALID\)/)
      })
    }
  })

  it("refuses quorums that cannot be", () => {
    const [one, two] = nodes(HONEST, HONEST) as [JsonRpc, JsonRpc]
    const { deployment } = net
    for (const [endpoints, k] of [
      [[one, two], 0],
      [[one, two], 3],
      [[one, two], 1.5],
      [[one, one], 1],
      [[], 1],
    ] as [JsonRpc[], number][]) {
      expect(() => new QuorumLedger({ deployment, endpoints, k })).toThrow(QuorumSizeError)
      expect(() => QuorumLedger.proven({ deployment, endpoints, k })).toThrow()
    }
  })
})
