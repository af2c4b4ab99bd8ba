import { FleetrootError } from "./base.ts"

/** A state proof does not prove what it was asked to prove: a node is missing, changed, of another place or of another block. */
export class StateProofInvalidError extends FleetrootError {
  override name = "StateProofInvalidError" as const
  override readonly code = "STATE_PROOF_INVALID" as const
  constructor({ what, expected, found, cause }: { what: string; expected: string; found: string; cause?: unknown }) {
    super(`The proof of ${what} is not valid: expected ${expected}, found ${found}.`, {
      hint: "The node lies or answered from another block; ask again, or use another node.",
      docs: "docs/errors.md#state-proof-invalid",
      cause,
    })
  }
}

/** No endpoint gave state proofs. */
export class StateProofUnavailableError extends FleetrootError {
  override name = "StateProofUnavailableError" as const
  override readonly code = "STATE_PROOF_UNAVAILABLE" as const
  constructor({ endpoint, cause }: { endpoint: string; cause: unknown }) {
    super(`${endpoint} gives no state proofs (eth_getProof).`, {
      hint: "Use a node that does, as most full nodes do for recent blocks; or check without --proof.",
      docs: "docs/errors.md#state-proof-unavailable",
      cause,
    })
  }
}

/** What is proven to be in a contract's storage is nothing that the contract writes. */
export class StoredValueInvalidError extends FleetrootError {
  override name = "StoredValueInvalidError" as const
  override readonly code = "STORED_VALUE_INVALID" as const
  constructor({ what, expected, found }: { what: string; expected: string; found: string }) {
    super(`The ledger's storage holds ${found} for ${what}; expected ${expected}.`, {
      hint: "This version knows another contract than the deployment's; use the version that belongs to it.",
      docs: "docs/errors.md#stored-value-invalid",
    })
  }
}

/** A block header has fields that this version does not know, or lacks fields that it needs. */
export class HeaderFormatUnknownError extends FleetrootError {
  override name = "HeaderFormatUnknownError" as const
  override readonly code = "HEADER_FORMAT_UNKNOWN" as const
  readonly field: string
  constructor({ field, problem }: { field: string; problem: string }) {
    super(`The block header's field ${field} ${problem}: its hash cannot be checked.`, {
      hint: "This chain's headers are not of a known kind; check without --proof, with a quorum of nodes.",
      docs: "docs/errors.md#header-format-unknown",
    })
    this.field = field
  }
}

/** A block header does not have the hash that it should have. */
export class HeaderMismatchError extends FleetrootError {
  override name = "HeaderMismatchError" as const
  override readonly code = "HEADER_MISMATCH" as const
  constructor({ block, expected, found }: { block: number; expected: string; found: string }) {
    super(`The header of block ${block} hashes to ${found}; expected ${expected}.`, {
      hint: "The node made the header up; use another.",
      docs: "docs/errors.md#header-mismatch",
    })
  }
}

/** What one endpoint of a quorum did. */
export type EndpointReport = { readonly endpoint: string; readonly state: string }

/** Too few endpoints agree on a block, or on what stands in it: there is no answer. */
export class QuorumMissingError extends FleetrootError {
  override name = "QuorumMissingError" as const
  override readonly code = "QUORUM_MISSING" as const
  readonly needed: number
  readonly endpoints: readonly EndpointReport[]
  constructor({
    what,
    needed,
    endpoints,
    cause,
  }: {
    what: string
    needed: number
    endpoints: readonly EndpointReport[]
    cause?: unknown
  }) {
    const states = endpoints.map(({ endpoint, state }) => `${endpoint}: ${state}`).join("; ")
    super(`No ${needed} of ${endpoints.length} endpoints agree on ${what} (${states}).`, {
      hint: "See which endpoints fail or differ; replace them, or wait until the slow ones have caught up.",
      docs: "docs/errors.md#quorum-missing",
      cause,
    })
    this.needed = needed
    this.endpoints = endpoints
  }
}

/** Two groups of endpoints, each large enough, say different things: nobody can say which is right. */
export class QuorumDisputedError extends FleetrootError {
  override name = "QuorumDisputedError" as const
  override readonly code = "QUORUM_DISPUTED" as const
  readonly endpoints: readonly EndpointReport[]
  constructor({ what, endpoints }: { what: string; endpoints: readonly EndpointReport[] }) {
    const states = endpoints.map(({ endpoint, state }) => `${endpoint}: ${state}`).join("; ")
    super(`The endpoints disagree on ${what} (${states}).`, {
      hint: "Ask for a quorum of more than half of the endpoints, and replace those that lie.",
      docs: "docs/errors.md#quorum-disputed",
    })
    this.endpoints = endpoints
  }
}

/** A quorum that no answers could ever reach, or that proves nothing. */
export class QuorumSizeError extends FleetrootError {
  override name = "QuorumSizeError" as const
  override readonly code = "QUORUM_SIZE" as const
  constructor({ quorum, endpoints }: { quorum: number; endpoints: number }) {
    super(`A quorum of ${quorum} among ${endpoints} different endpoints is not possible.`, {
      hint: "Name each endpoint once, and a quorum from 1 to their number; better more than half of it.",
      docs: "docs/errors.md#quorum-size",
    })
  }
}
