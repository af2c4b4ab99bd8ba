import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import type { Hex } from "../crypto/hex.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import type { FleetrootError } from "../errors/base.ts"
import { CryptoError } from "../errors/crypto.ts"
import { NumberOutOfRangeError } from "../errors/ledger.ts"
import { ManifestError, MerkleError } from "../errors/merkle.ts"
import { X509Error } from "../errors/x509.ts"
import type { Evidence, Finality, Ledger } from "../ledger/ledger.ts"
import { assertHash32 } from "../ledger/limits.ts"
import { assertReceipt, decodeReceipt } from "../merkle/receipt.ts"
import type { Receipt } from "../merkle/receipt.ts"
import type { ReceiptSource } from "../merkle/receiptSource.ts"
import { findAnchor } from "./anchor.ts"
import type { Anchor, FindAnchorParameters, PlaceIndex } from "./anchor.ts"
import { BadNews } from "./badNews.ts"
import { certificateCredential, ownedCredential, ownInput, rawPublicKeyCredential } from "./credential.ts"
import type { Credential } from "./credential.ts"
import { giveBack } from "./copyOf.ts"
import { complaintsOf, decide, endedSince, subjectsOf } from "./decide.ts"
import type { Decision } from "./decide.ts"
import { readMoment } from "../ledger/moment.ts"
import type { MomentOptions } from "../ledger/moment.ts"
import { stateOf } from "../ledger/replica/stateView.ts"
import { interestOf } from "./interest.ts"
import { loneClaim } from "./loneClaim.ts"
import { mapInOrder } from "./mapInOrder.ts"
import { pause } from "./pause.ts"
import { SharedMoment } from "./sharedMoment.ts"
import { readStanding } from "./standing.ts"
import type { Standing } from "./standing.ts"
import { statusMoment } from "./statusView.ts"
import type { StatusMoment } from "./statusView.ts"
import { run, wait } from "./steps.ts"
import type { Soon, Steps } from "./steps.ts"
import type { RefusalReason, Verdict } from "./verdict.ts"

export type VerifierOptions = {
  ledger: Ledger
  /** Checks signatures. Default: the fastest that the platform has. */
  crypto?: CryptoBackend
  /** The clock. Default: the platform's. */
  now?: () => Date
  /** Oldest newest block that an answer may rest on, in seconds. Default: 120. */
  maxAgeSeconds?: number
  /** How final a registration must be before it counts. Revocations count at once. Default: `finalized`. */
  registrationFinality?: Finality
}

export type CheckOptions = {
  /** The credential's receipt, as an object or as its bytes. */
  receipt?: Receipt | Uint8Array
  /** Where receipts are looked up: a folder, a manifest. */
  receipts?: ReceiptSource
  /** Where places are looked up for which there is no receipt: the index of manifests that were checked against their roots. */
  places?: PlaceIndex
  /** The time to judge. Default: now. Past times need a node that still has the state of that time. */
  at?: Date
  /** Key id of the issuer, for certificates that do not say who issued them. */
  issuerKeyId?: Hex
}

export type StreamOptions = Omit<CheckOptions, "receipt"> & {
  /** How many certificates may be in the making or waiting to be taken. At most 65,536; default: 256. */
  inFlight?: number
}

const DEFAULT_IN_FLIGHT = 256
const MOST_IN_FLIGHT = 65_536
/** So many certificates are checked before others have their turn on this thread. */
const AT_ONCE = 64

/** One answer of {@link Verifier.checkMany}: a verdict, or why the input is no credential. */
export type ManyVerdict =
  Verdict | { readonly status: "unknown"; readonly reason: "malformed"; readonly error: FleetrootError }

/**
 * Says whether device credentials count, from the ledger and nothing else.
 *
 * A refusal is an answer (`status` is not `good`); an exception means that no answer could be had. Neither is ever `good`.
 */
export class Verifier {
  readonly #options: MomentOptions
  readonly #crypto: CryptoBackend
  readonly #badNews = new BadNews()

  constructor({ ledger, crypto, now, maxAgeSeconds = 120, registrationFinality = "finalized" }: VerifierOptions) {
    this.#options = { ledger, now: now ?? (() => new Date()), maxAgeSeconds, registrationFinality }
    this.#crypto = crypto ?? defaultCrypto()
  }

  /**
   * Checks one X.509 device certificate, PEM or DER.
   *
   * @throws DerError, CertificateMalformedError, PemBlockMissingError, PemBlocksManyError when it is none.
   * @throws StaleHeadError, ClockBehindError, TimeOutOfRangeError and the ledger's errors when no answer could be had.
   */
  async checkCertificate(pemOrDer: string | Uint8Array, options: CheckOptions = {}): Promise<Verdict> {
    return this.#checkOne(certificateCredential(pemOrDer), options)
  }

  /** Checks one raw public key object (docs/formats.md). @throws as {@link checkCertificate}. */
  async checkRawPublicKey(object: Uint8Array, options: CheckOptions = {}): Promise<Verdict> {
    return this.#checkOne(rawPublicKeyCredential(object), options)
  }

  /**
   * Checks many certificates against the same blocks; the answers are in the order of the questions. What is no certificate, or
   * has a receipt that is none, gets an answer too; an error that concerns the ledger ends them all.
   */
  async checkMany(
    inputs: Iterable<string | Uint8Array>,
    options: Omit<CheckOptions, "receipt"> = {},
  ): Promise<ManyVerdict[]> {
    const asker = readAsker(options)
    const owned = Array.from(inputs, ownInput)
    const [first] = owned
    if (first !== undefined && owned.length === 1) {
      const question = await run(readQuestion(first, options))
      const interest = "error" in question ? undefined : interestOf(question.credential, question.receipt)
      const moment = statusMoment(await readMoment(this.#options, options.at, interest))
      return [await run(this.#answer(question, moment, asker))]
    }
    // Of many, what will be read is not worth saying in advance: they share their trips.
    const read = await readMoment(this.#options, options.at)
    const moment = statusMoment(read)
    const answer = async (input: string | Uint8Array): Promise<ManyVerdict> =>
      run(this.#answerOwned(input, moment, options, asker))
    if (stateOf(read.head) === undefined) return Promise.all(owned.map(answer))

    // From memory the answers come without waiting: others must have their turn in between.
    const answers: ManyVerdict[] = []
    for (let from = 0; from < owned.length; from += AT_ONCE) {
      if (from > 0) await pause()
      answers.push(...(await Promise.all(owned.slice(from, from + AT_ONCE).map(answer))))
    }
    return answers
  }

  /**
   * Checks certificates as they come, in their order, in bounded memory: no more of `source` is asked for than there is room.
   * Each answer rests on blocks that were the newest at most a second before its question, or at most 256 questions before. What
   * is no certificate gets an answer too; an error that concerns the ledger ends the stream, after the answers before it.
   */
  checkStream(
    source: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
    options: StreamOptions = {},
  ): AsyncGenerator<ManyVerdict, void, undefined> {
    const asker = readAsker(options)
    const { inFlight = DEFAULT_IN_FLIGHT } = options
    if (!Number.isSafeInteger(inFlight) || inFlight < 1 || inFlight > MOST_IN_FLIGHT) {
      throw new NumberOutOfRangeError({ what: "inFlight", found: inFlight, minimum: 1, maximum: MOST_IN_FLIGHT })
    }
    const moments = new SharedMoment(this.#options, options.at)
    const work = (input: string | Uint8Array): Soon<ManyVerdict> =>
      run(this.#answerOwned(ownInput(input), moments.get(), options, asker))
    return mapInOrder(source, work, inFlight)
  }

  *#answerOwned(
    input: string | Uint8Array,
    moment: Soon<StatusMoment>,
    options: CheckOptions,
    asker: AskerKnows,
  ): Steps<ManyVerdict> {
    const question = yield* readQuestion(input, options)
    return yield* this.#answer(question, yield* wait(moment), asker)
  }

  *#answer(question: Question, moment: StatusMoment, asker: AskerKnows): Steps<ManyVerdict> {
    if ("error" in question) return { status: "unknown", reason: "malformed", error: question.error }
    const { credential, receipt } = question
    const verdict = yield* this.#check(credential, moment, { ...asker, receipt })
    // An error may leave something behind that still reads it; an answer does not.
    if (credential.copy !== undefined) giveBack(credential.copy)
    return verdict
  }

  async #checkOne(credential: Credential, options: CheckOptions): Promise<Verdict> {
    const asker = readAsker(options)
    const receipt = await run(receiptFor(credential, options))
    const moment = statusMoment(await readMoment(this.#options, options.at, interestOf(credential, receipt)))
    return run(this.#check(credential, moment, { ...asker, receipt }))
  }

  *#check(
    credential: Credential,
    moment: StatusMoment,
    known: AskerKnows & Pick<FindAnchorParameters, "receipt">,
  ): Steps<Verdict> {
    const broken = credential.finding
    if (broken !== undefined) return this.#refuse(credential, moment, "profileViolated", broken)
    const { deployment } = this.#options.ledger
    const { head } = moment
    const anchor = yield* findAnchor({ credential, head, deployment, crypto: this.#crypto, ...known })
    if ("refusal" in anchor) return this.#refuse(credential, moment, anchor.refusal, anchor.detail)
    const standing = yield* readStanding(credential, anchor, moment)
    if (standing === undefined) {
      return this.#refuse(credential, moment, "issuerUnknown", "The ledger does not know the issuer any more.")
    }
    const verdict = this.#judge(credential, anchor, standing, moment)
    if (verdict.status !== "good" || moment.head !== moment.today) return verdict
    if (moment.head.unconfirmed === undefined) return verdict
    const claim = yield* loneClaim(credential, anchor, moment)
    if (claim === undefined) return verdict
    const { status, reason, detail, since } = claim
    return { ...verdict, status, reason, detail, since: since === null ? null : dateOf(since) }
  }

  #judge(credential: Credential, anchor: Anchor, standing: Standing, moment: StatusMoment): Verdict {
    const { manufacturer, registeredAt, facts } = standing
    const { place } = anchor
    const { batch } = facts
    const decision = this.#withNewsOf(standing, moment, unlessUnproven(decide(facts), anchor, registeredAt))
    const anchoredAt = registeredAt === undefined ? null : dateOf(registeredAt)
    const recorded = place === undefined && anchoredAt !== null
    return verdictOf(credential, moment, decision, {
      manufacturer: { id: manufacturer.id, name: manufacturer.name },
      batch:
        batch === undefined || place === undefined
          ? null
          : {
              series: batch.series,
              root: batch.root,
              index: place.index,
              size: batch.size,
              registeredAt: dateOf(batch.registeredAt),
            },
      anchoredAt,
      evidence: recorded
        ? [...anchor.evidence, { kind: "record", detail: `registered by itself at ${anchoredAt.toISOString()}` }]
        : anchor.evidence,
    })
  }

  /**
   * Good needs more than the head: no hold that ended in a block which is not final yet, and no bad news from a block that a
   * reorganisation took away since. Such news stands until the chain is final past it.
   */
  #withNewsOf({ facts, settledFacts }: Standing, moment: StatusMoment, decision: Decision): Decision {
    const { head, settled, today } = moment
    // Of the past nothing is news.
    if (head !== today) return decision
    const finalNumber = settled.block.number
    if (head.block.number > finalNumber) {
      for (const complaint of complaintsOf(facts)) this.#badNews.remember(complaint, head.block.number)
    }
    if (decision.status !== "good") return decision
    const [before] = settledFacts === undefined ? [] : complaintsOf(settledFacts)
    if (before !== undefined)
      return { ...before, detail: `${before.detail} That ended in a block that is not final yet.` }
    const ended = moment.isLater === true ? endedSince(facts) : undefined
    if (ended !== undefined) return ended
    if (this.#badNews.isEmpty) return decision
    const seen = this.#badNews.standing(subjectsOf(facts), facts.registeredAt ?? 0, finalNumber)
    if (seen === undefined) return decision
    return { ...seen, detail: `${seen.detail} Seen in a block that was reorganised since; waiting for finality.` }
  }

  #refuse(credential: Credential, moment: StatusMoment, reason: RefusalReason, detail: string): Verdict {
    const found = { manufacturer: null, batch: null, anchoredAt: null, evidence: [] }
    return verdictOf(credential, moment, { status: "unknown", reason, detail, since: null }, found)
  }
}

function verdictOf(
  credential: Credential,
  { head, staleSeconds, evidence }: StatusMoment,
  decision: Decision,
  found: Pick<Verdict, "manufacturer" | "batch" | "anchoredAt"> & { evidence: readonly Evidence[] },
): Verdict {
  const { block } = head
  return {
    status: decision.status,
    reason: decision.reason,
    detail: decision.detail,
    since: decision.since === null ? null : dateOf(decision.since),
    credentialHash: credential.credentialHash,
    fingerprint: credential.fingerprint,
    deviceKeyId: credential.deviceKeyId,
    manufacturer: found.manufacturer,
    batch: found.batch,
    anchoredAt: found.anchoredAt,
    block: { number: block.number, hash: block.hash, timestamp: dateOf(block.timestamp), finality: block.finality },
    staleSeconds,
    evidence: [...evidence(), ...found.evidence],
  }
}

/** Where the anchor that was found does not prove that the credential is on the ledger, only bad news about it counts. */
function unlessUnproven(
  decision: Decision,
  { included, place, issuerKey }: Anchor,
  registeredAt: number | undefined,
): Decision {
  const proven = place === undefined ? registeredAt !== undefined : included
  if (proven || decision.status === "revoked" || decision.status === "onHold") return decision
  const detail =
    place !== undefined
      ? "Its place is known but not proven: give its receipt or the manifest."
      : issuerKey.purpose === "issuer"
        ? "Its issuer registers batches: give its receipt or the batch's manifest."
        : "It is not registered on the ledger."
  return { status: "unknown", reason: "notAnchored", detail, since: null }
}

/** A credential with its receipt, or why it is none. */
type Question = { credential: Credential; receipt: Receipt | undefined } | { error: FleetrootError }

function* readQuestion(input: string | Uint8Array, options: CheckOptions): Steps<Question> {
  try {
    const credential = ownedCredential(input)
    const known = options.receipt !== undefined || options.receipts !== undefined
    return { credential, receipt: known ? yield* receiptFor(credential, options) : undefined }
  } catch (error) {
    if (isMalformedInput(error)) return { error }
    throw error
  }
}

function* receiptFor(credential: Credential, options: CheckOptions): Steps<Receipt | undefined> {
  const given = options.receipt ?? (yield* wait(options.receipts?.receiptOf(credential.credentialHash)))
  if (given === undefined) return undefined
  if (given instanceof Uint8Array) return decodeReceipt(given)
  assertReceipt(given)
  return given
}

/** What helps to find the anchor of any credential that is asked about. */
type AskerKnows = Pick<FindAnchorParameters, "issuerKeyId" | "places">

function readAsker({ issuerKeyId, places }: CheckOptions): AskerKnows {
  if (issuerKeyId !== undefined) assertHash32(issuerKeyId, "an issuer's key id")
  return { issuerKeyId, places }
}

/** Whether an error says that the input is no credential, or its receipt none; all others concern what the answer rests on. */
function isMalformedInput(error: unknown): error is FleetrootError {
  if (error instanceof X509Error || error instanceof CryptoError) return true
  return error instanceof MerkleError && !(error instanceof ManifestError)
}

function dateOf(seconds: number): Date {
  return new Date(seconds * 1000)
}
