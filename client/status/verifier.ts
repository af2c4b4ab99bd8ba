import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import type { Hex } from "../crypto/hex.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { FleetrootError } from "../errors/base.ts"
import { ClockBehindError, StaleHeadError, TimeOutOfRangeError } from "../errors/ledger.ts"
import type { Batch, Evidence, Finality, Ledger, LedgerKey, LedgerView } from "../ledger/ledger.ts"
import { decodeReceipt } from "../merkle/receipt.ts"
import type { Receipt } from "../merkle/receipt.ts"
import type { ReceiptSource } from "../merkle/receiptSource.ts"
import { bitIsSet, findAnchor } from "./anchor.ts"
import type { Anchor } from "./anchor.ts"
import { BadNews } from "./badNews.ts"
import { certificateCredential, rawPublicKeyCredential } from "./credential.ts"
import type { Credential } from "./credential.ts"
import { decide } from "./decide.ts"
import type { Decision } from "./decide.ts"
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
  /** The time to judge. Default: now. Past times need a node that still has the state of that time. */
  at?: Date
  /** Key id of the issuer, for certificates that do not say who issued them. */
  issuerKeyId?: Hex
}

/** One answer of {@link Verifier.checkMany}: a verdict, or why the input is no credential. */
export type ManyVerdict =
  Verdict | { readonly status: "unknown"; readonly reason: "malformed"; readonly error: FleetrootError }

/** The views that one answer rests on. Times are Unix seconds. */
type Moment = {
  /** Where bad news is read. */
  readonly head: LedgerView
  /** Where registrations are read. */
  readonly settled: LedgerView
  /** Where a key's compromise is read: knowledge of today, also about the past. */
  readonly today: LedgerView
  readonly time: number
  readonly staleSeconds: number
}

/** Clocks and miners differ by some seconds; more than this is a wrong clock. */
const CLOCK_TOLERANCE_SECONDS = 120

/**
 * Says whether device credentials count, from the ledger and nothing else.
 *
 * A refusal is an answer (`status` is not `good`); an exception means that no answer could be had. Neither is ever `good`.
 */
export class Verifier {
  readonly #ledger: Ledger
  readonly #crypto: CryptoBackend
  readonly #now: () => Date
  readonly #maxAgeSeconds: number
  readonly #registrationFinality: Finality
  readonly #badNews = new BadNews()

  constructor(options: VerifierOptions) {
    this.#ledger = options.ledger
    this.#crypto = options.crypto ?? defaultCrypto()
    this.#now = options.now ?? (() => new Date())
    this.#maxAgeSeconds = options.maxAgeSeconds ?? 120
    this.#registrationFinality = options.registrationFinality ?? "finalized"
  }

  /**
   * Checks one X.509 device certificate, PEM or DER.
   *
   * @throws DerError, CertificateMalformedError, PemBlockMissingError, PemBlocksManyError when it is none.
   * @throws StaleHeadError, ClockBehindError, TimeOutOfRangeError and the ledger's errors when no answer could be had.
   */
  async checkCertificate(pemOrDer: string | Uint8Array, options: CheckOptions = {}): Promise<Verdict> {
    const credential = certificateCredential(pemOrDer)
    return this.#check(credential, options, await this.#moment(options.at))
  }

  /** Checks one raw public key object (docs/formats.md). @throws as {@link checkCertificate}. */
  async checkRawPublicKey(object: Uint8Array, options: CheckOptions = {}): Promise<Verdict> {
    const credential = rawPublicKeyCredential(object)
    return this.#check(credential, options, await this.#moment(options.at))
  }

  /**
   * Checks many certificates against the same blocks; the answers are in the order of the questions. What is no certificate at
   * all gets an answer too; an error that concerns the ledger ends them all.
   */
  async checkMany(
    inputs: Iterable<string | Uint8Array>,
    options: Omit<CheckOptions, "receipt"> = {},
  ): Promise<ManyVerdict[]> {
    const moment = await this.#moment(options.at)
    const answers = Array.from(inputs, async (input): Promise<ManyVerdict> => {
      let credential: Credential
      try {
        credential = certificateCredential(input)
      } catch (error) {
        if (error instanceof FleetrootError) return { status: "unknown", reason: "malformed", error }
        throw error
      }
      return this.#check(credential, options, moment)
    })
    return Promise.all(answers)
  }

  async #moment(at: Date | undefined): Promise<Moment> {
    const now = unixSeconds(this.#now())
    const [head, settled] = await Promise.all([this.#ledger.at("latest"), this.#ledger.at(this.#registrationFinality)])
    const ahead = head.block.timestamp - now
    if (ahead > CLOCK_TOLERANCE_SECONDS) throw new ClockBehindError({ behindSeconds: ahead })
    const staleSeconds = Math.max(0, -ahead)
    if (staleSeconds > this.#maxAgeSeconds) {
      throw new StaleHeadError({ ageSeconds: staleSeconds, maxAgeSeconds: this.#maxAgeSeconds })
    }
    if (at === undefined) return { head, settled, today: head, time: now, staleSeconds }

    const time = unixSeconds(at)
    if (!(time <= now + CLOCK_TOLERANCE_SECONDS)) {
      throw new TimeOutOfRangeError({ at, earliest: new Date(0), latest: new Date(now * 1000) })
    }
    // Of the time since the newest final block the present says most.
    if (time > settled.block.timestamp) return { head, settled, today: head, time, staleSeconds }
    const past = await this.#ledger.atTime(time)
    return { head: past, settled: past, today: head, time, staleSeconds }
  }

  async #check(credential: Credential, options: CheckOptions, moment: Moment): Promise<Verdict> {
    const receipt = await receiptFor(credential, options)
    const broken = credential.findings[0]
    if (broken !== undefined) return this.#refuse(credential, moment, "profileViolated", broken)
    const anchor = await findAnchor({
      credential,
      head: moment.head,
      deployment: this.#ledger.deployment,
      crypto: this.#crypto,
      receipt,
      issuerKeyId: options.issuerKeyId,
    })
    if ("refusal" in anchor) return this.#refuse(credential, moment, anchor.refusal, anchor.detail)
    return this.#judge(credential, anchor, moment)
  }

  async #judge(credential: Credential, anchor: Anchor, moment: Moment): Promise<Verdict> {
    const { head, settled, today, time } = moment
    const { place, batch, issuerKey } = anchor
    const { manufacturerId } = issuerKey
    const { credentialHash, deviceKeyId } = credential

    const [manufacturer, key, credentialRecord, deviceKeyRecord, bit, settledBatch, settledRecord] = await Promise.all([
      head.manufacturer(manufacturerId),
      today.key(manufacturerId, issuerKey.index),
      head.record(manufacturerId, credentialHash),
      head.record(manufacturerId, deviceKeyId),
      place === undefined || batch === undefined ? undefined : this.#bit(head, batch, place.index),
      place === undefined ? undefined : settled.batch(manufacturerId, place.series),
      place === undefined ? settled.record(manufacturerId, credentialHash) : undefined,
    ])
    if (manufacturer === undefined || key === undefined) {
      return this.#refuse(credential, moment, "issuerUnknown", "The ledger does not know the issuer any more.")
    }

    const registeredAt = place === undefined ? ownRegistration(credentialRecord, issuerKey) : batch?.registeredAt
    const decision = decide({
      time,
      manufacturer,
      issuerKey: key,
      // Without an anchor nothing below can be good; what is revoked is said nevertheless.
      registeredAt: registeredAt ?? head.block.timestamp,
      settled: place === undefined ? settledRecord?.registeredAt !== undefined : settledBatch !== undefined,
      batch,
      bit,
      credentialRecord,
      deviceKeyRecord,
      notBefore: credential.notBefore,
      notAfter: credential.notAfter,
      anchorNotAfter: place === undefined ? credentialRecord.notAfter : batch?.notAfter,
    })
    const unproven = unprovenAnchor(anchor, registeredAt)
    const bad = decision.status === "revoked" || decision.status === "onHold"
    const final = unproven !== undefined && !bad ? unproven : decision
    return this.#verdict(credential, moment, this.#withBadNews(credential, final, moment), {
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
      anchoredAt: registeredAt === undefined ? null : dateOf(registeredAt),
      evidence: [
        ...anchor.evidence,
        ...(place === undefined && registeredAt !== undefined
          ? [{ kind: "record", detail: `registered by itself at ${dateOf(registeredAt).toISOString()}` }]
          : []),
      ],
    })
  }

  /** A revocation seen before in a block that a reorganisation took away stands until the chain is final past it. */
  #withBadNews(credential: Credential, decision: Decision, { head, settled }: Moment): Decision {
    const finalNumber = settled.block.number
    if (decision.status === "revoked" || decision.status === "onHold") {
      if (head.block.number > finalNumber) {
        this.#badNews.remember(credential.credentialHash, decision, head.block.number)
      }
      return decision
    }
    const standing = this.#badNews.standing(credential.credentialHash, finalNumber)
    return standing === undefined || decision.status !== "good"
      ? decision
      : { ...standing, detail: `${standing.detail} Seen in a block that was reorganised since; waiting for finality.` }
  }

  async #bit(
    head: LedgerView,
    batch: Batch,
    index: number,
  ): Promise<{ revokedAt?: number; reason?: number } | undefined> {
    const word = await head.word(batch.manufacturerId, batch.series, Math.floor(index / 256))
    if (!bitIsSet(word, index)) return undefined
    try {
      return (await head.bitRevocation(batch.manufacturerId, batch.series, index)) ?? {}
    } catch (error) {
      // When and why is for information; that the bit is set is the answer.
      if (error instanceof FleetrootError) return {}
      throw error
    }
  }

  #refuse(credential: Credential, moment: Moment, reason: RefusalReason, detail: string): Verdict {
    const decision: Decision = { status: "unknown", reason, detail, since: null }
    return this.#verdict(credential, moment, decision, {
      manufacturer: null,
      batch: null,
      anchoredAt: null,
      evidence: [],
    })
  }

  #verdict(
    credential: Credential,
    moment: Moment,
    decision: Decision,
    found: Pick<Verdict, "manufacturer" | "batch" | "anchoredAt"> & { evidence: readonly Evidence[] },
  ): Verdict {
    const { block } = moment.head
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
      staleSeconds: moment.staleSeconds,
      evidence: [moment.head.evidence, ...found.evidence],
    }
  }
}

/** An open issuer's credential stands in a record that names that very key. */
function ownRegistration(
  record: { registeredAt: number | undefined; keyIndex: number },
  key: LedgerKey,
): number | undefined {
  if (key.purpose !== "openIssuer" || record.keyIndex !== key.index) return undefined
  return record.registeredAt
}

/** Why an anchor that was found does not prove that the credential is on the ledger; undefined if it does. */
function unprovenAnchor(
  { included, place, issuerKey }: Anchor,
  registeredAt: number | undefined,
): Decision | undefined {
  const unknown = (reason: RefusalReason, detail: string): Decision => ({
    status: "unknown",
    reason,
    detail,
    since: null,
  })
  if (place !== undefined) {
    return included
      ? undefined
      : unknown("notAnchored", "Its place is known but not proven: give its receipt or the manifest.")
  }
  if (issuerKey.purpose === "issuer") {
    return unknown("notAnchored", "Its issuer registers batches: give its receipt or the batch's manifest.")
  }
  return registeredAt === undefined ? unknown("notAnchored", "It is not registered on the ledger.") : undefined
}

async function receiptFor(credential: Credential, options: CheckOptions): Promise<Receipt | undefined> {
  if (options.receipt !== undefined) {
    return options.receipt instanceof Uint8Array ? decodeReceipt(options.receipt) : options.receipt
  }
  return options.receipts?.receiptOf(credential.credentialHash)
}

function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}

function dateOf(seconds: number): Date {
  return new Date(seconds * 1000)
}
