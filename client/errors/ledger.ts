import { FleetrootError } from "./base.ts"

/** The endpoint could not be reached, or closed the connection. */
export class EndpointUnreachableError extends FleetrootError {
  override name = "EndpointUnreachableError" as const
  override readonly code = "ENDPOINT_UNREACHABLE" as const
  constructor({ endpoint, cause }: { endpoint: string; cause: unknown }) {
    super(`No answer from ${endpoint}.`, {
      hint: "Check that the node runs and that the address is right (--rpc, FLEETROOT_RPC or the deployment file).",
      docs: "docs/errors.md#endpoint-unreachable",
      cause,
    })
  }
}

/** The endpoint did not finish its answer in time. */
export class EndpointTimeoutError extends FleetrootError {
  override name = "EndpointTimeoutError" as const
  override readonly code = "ENDPOINT_TIMEOUT" as const
  readonly timeoutMs: number
  constructor({ endpoint, timeoutMs, cause }: { endpoint: string; timeoutMs: number; cause?: unknown }) {
    super(`${endpoint} did not answer within ${timeoutMs} ms.`, {
      hint: "Ask a nearer node, or allow more time.",
      docs: "docs/errors.md#endpoint-timeout",
      cause,
    })
    this.timeoutMs = timeoutMs
  }
}

/** The server refused the request itself: a rate limit, a missing key, a redirect, a fault of its own. */
export class EndpointStatusError extends FleetrootError {
  override name = "EndpointStatusError" as const
  override readonly code = "ENDPOINT_STATUS" as const
  /** HTTP status; 0 for a redirect that a browser hid. */
  readonly status: number
  constructor({ endpoint, status }: { endpoint: string; status: number }) {
    super(`${endpoint} answered with HTTP status ${status}.`, {
      hint:
        status === 429
          ? "Ask less often, or use another node."
          : status === 401 || status === 403
            ? "The address needs a key that is missing or wrong."
            : status < 400
              ? "Redirects are not followed: give the address that it leads to, if you trust that."
              : "Use another node, or wait until this one is well.",
      docs: "docs/errors.md#endpoint-status",
    })
    this.status = status
  }
}

/** The endpoint sent more than the client is willing to read. */
export class ReplyTooLargeError extends FleetrootError {
  override name = "ReplyTooLargeError" as const
  override readonly code = "REPLY_TOO_LARGE" as const
  constructor({ endpoint, maxBytes }: { endpoint: string; maxBytes: number }) {
    super(`${endpoint} sent more than ${maxBytes} bytes.`, {
      hint: "Use another node; ask for less at a time.",
      docs: "docs/errors.md#reply-too-large",
    })
  }
}

/** What the endpoint sent is not what the question's type allows. */
export class ReplyMalformedError extends FleetrootError {
  override name = "ReplyMalformedError" as const
  override readonly code = "REPLY_MALFORMED" as const
  constructor({ what, expected, found, cause }: { what: string; expected: string; found: string; cause?: unknown }) {
    super(`The answer to ${what} is malformed: expected ${expected}, found ${found}.`, {
      hint: "The node is broken or lies; use another.",
      docs: "docs/errors.md#reply-malformed",
      cause,
    })
  }
}

/** The endpoint answered with a JSON-RPC error. */
export class RpcRejectedError extends FleetrootError {
  override name = "RpcRejectedError" as const
  override readonly code = "RPC_REJECTED" as const
  readonly rpcCode: number
  readonly data: unknown
  constructor({
    method,
    rpcCode,
    rpcMessage,
    data,
    cause,
  }: {
    method: string
    rpcCode: number
    rpcMessage: string
    data?: unknown
    cause?: unknown
  }) {
    super(`The node refused ${method}: ${rpcMessage.slice(0, 300)} (${rpcCode}).`, {
      docs: "docs/errors.md#rpc-rejected",
      cause,
    })
    this.rpcCode = rpcCode
    this.data = data
  }
}

/** The node is on another chain than the deployment. */
export class ChainMismatchError extends FleetrootError {
  override name = "ChainMismatchError" as const
  override readonly code = "CHAIN_MISMATCH" as const
  readonly expected: number
  readonly found: number
  constructor({ expected, found }: { expected: number; found: number }) {
    super(`The node is on chain ${found}; the deployment is on chain ${expected}.`, {
      hint: "Point --rpc at a node of the deployment's chain, or use that chain's deployment file.",
      docs: "docs/errors.md#chain-mismatch",
    })
    this.expected = expected
    this.found = found
  }
}

/** There is no contract, or another one, at an address of the deployment. */
export class ContractMismatchError extends FleetrootError {
  override name = "ContractMismatchError" as const
  override readonly code = "CONTRACT_MISMATCH" as const
  constructor({
    contract,
    address,
    expected,
    found,
  }: {
    contract: string
    address: string
    expected: string
    found: string
  }) {
    super(`At ${address} there should be ${contract} with code hash ${expected}; found ${found}.`, {
      hint: "The deployment file is of another chain or an earlier run of a test chain; fetch the right one.",
      docs: "docs/errors.md#contract-mismatch",
    })
  }
}

/** A deployment file does not say what it must. */
export class DeploymentInvalidError extends FleetrootError {
  override name = "DeploymentInvalidError" as const
  override readonly code = "DEPLOYMENT_INVALID" as const
  constructor({ field, expected, found }: { field: string; expected: string; found: string }) {
    super(`Deployment file: ${field} should be ${expected}; found ${found}.`, {
      hint: "Write it with `fleetroot testnet` or the deploy script; see docs/formats.md.",
      docs: "docs/errors.md#deployment-invalid",
    })
  }
}

/** The node's newest block is too old to say anything about now. */
export class StaleHeadError extends FleetrootError {
  override name = "StaleHeadError" as const
  override readonly code = "STALE_HEAD" as const
  readonly ageSeconds: number
  readonly maxAgeSeconds: number
  constructor({ ageSeconds, maxAgeSeconds }: { ageSeconds: number; maxAgeSeconds: number }) {
    super(`The newest block is ${ageSeconds} s old; this check allows ${maxAgeSeconds} s.`, {
      hint: "Ask a node nearer the head, or raise `maxAgeSeconds`.",
      docs: "docs/errors.md#stale-head",
    })
    this.ageSeconds = ageSeconds
    this.maxAgeSeconds = maxAgeSeconds
  }
}

/** The newest block lies in the future: the local clock is behind. */
export class ClockBehindError extends FleetrootError {
  override name = "ClockBehindError" as const
  override readonly code = "CLOCK_BEHIND" as const
  readonly behindSeconds: number
  constructor({ behindSeconds }: { behindSeconds: number }) {
    super(`The newest block is dated ${behindSeconds} s after the local clock.`, {
      hint: "Set the clock; no certificate's validity can be judged by a wrong one.",
      docs: "docs/errors.md#clock-behind",
    })
    this.behindSeconds = behindSeconds
  }
}

/** The node shows an older final block than one seen before, or another block in its place. */
export class HeadRolledBackError extends FleetrootError {
  override name = "HeadRolledBackError" as const
  override readonly code = "HEAD_ROLLED_BACK" as const
  constructor({ seen, found }: { seen: string; found: string }) {
    super(`Block ${seen} was final before; the node now says ${found}.`, {
      hint: "The node was restored from an old state or follows another history; use another. On a test chain that was restarted, use its new deployment file.",
      docs: "docs/errors.md#head-rolled-back",
    })
  }
}

/** The node no longer has the state of the block that was asked for. */
export class HistoryUnavailableError extends FleetrootError {
  override name = "HistoryUnavailableError" as const
  override readonly code = "HISTORY_UNAVAILABLE" as const
  constructor({ what, cause }: { what: string; cause?: unknown }) {
    super(`The node cannot tell ${what}.`, {
      hint: "Ask an archive node, or use a replica.",
      docs: "docs/errors.md#history-unavailable",
      cause,
    })
  }
}

/** The time asked for is not one that the ledger can speak of. */
export class TimeOutOfRangeError extends FleetrootError {
  override name = "TimeOutOfRangeError" as const
  override readonly code = "TIME_OUT_OF_RANGE" as const
  constructor({ at, earliest, latest }: { at: Date; earliest: Date; latest: Date }) {
    const text = (date: Date) => (Number.isNaN(date.getTime()) ? "an invalid date" : date.toISOString())
    super(`The ledger can speak of ${text(earliest)} to ${text(latest)}; asked for ${text(at)}.`, {
      hint: "Times after the newest final block cannot be judged for good yet.",
      docs: "docs/errors.md#time-out-of-range",
    })
  }
}

/** A contract refused the call; `errorName` and `args` are the custom error's. */
export class ContractRevertedError extends FleetrootError {
  override name = "ContractRevertedError" as const
  override readonly code = "CONTRACT_REVERTED" as const
  readonly functionName: string
  readonly errorName: string
  readonly args: readonly unknown[]
  constructor({
    functionName,
    errorName,
    args,
    hint,
    cause,
  }: {
    functionName: string
    errorName: string
    args: readonly unknown[]
    hint?: string | undefined
    cause?: unknown
  }) {
    super(`${functionName} was refused: ${errorName}(${args.map(String).join(", ")}).`, {
      ...(hint === undefined ? {} : { hint }),
      docs: "docs/errors.md#contract-reverted",
      cause,
    })
    this.functionName = functionName
    this.errorName = errorName
    this.args = args
  }
}

/** A transaction would need more gas than any transaction may have (EIP-7825). */
export class GasCapExceededError extends FleetrootError {
  override name = "GasCapExceededError" as const
  override readonly code = "GAS_CAP_EXCEEDED" as const
  constructor({ functionName, gas, cap, cause }: { functionName: string; gas: bigint; cap: bigint; cause?: unknown }) {
    super(`${functionName} needs ${gas} gas or more; a transaction may use ${cap}.`, {
      hint: "Send fewer at a time.",
      docs: "docs/errors.md#gas-cap-exceeded",
      cause,
    })
  }
}

/** Gas costs more at the moment than the caller allows. Nothing was sent. */
export class FeeCapExceededError extends FleetrootError {
  override name = "FeeCapExceededError" as const
  override readonly code = "FEE_CAP_EXCEEDED" as const
  readonly baseFeeWei: bigint
  readonly feeCapWei: bigint
  constructor({ baseFeeWei, feeCapWei }: { baseFeeWei: bigint; feeCapWei: bigint }) {
    super(`One gas costs ${baseFeeWei} wei at the moment; at most ${feeCapWei} are allowed.`, {
      hint: "Wait until the chain is less busy, or raise the fee cap.",
      docs: "docs/errors.md#fee-cap-exceeded",
    })
    this.baseFeeWei = baseFeeWei
    this.feeCapWei = feeCapWei
  }
}

/** Other senders of the same account were quicker, several times in a row. Nothing of ours was mined. */
export class NonceContestedError extends FleetrootError {
  override name = "NonceContestedError" as const
  override readonly code = "NONCE_CONTESTED" as const
  constructor({ account, attempts }: { account: string; attempts: number }) {
    super(`Other transactions of ${account} took the place of ours ${attempts} times.`, {
      hint: "Let one program at a time send from an account, or give each its own operator account.",
      docs: "docs/errors.md#nonce-contested",
    })
  }
}

/** Whoever holds the key refused to sign. Nothing was sent. */
export class PayerRefusedError extends FleetrootError {
  override name = "PayerRefusedError" as const
  override readonly code = "PAYER_REFUSED" as const
  constructor({ cause }: { cause: unknown }) {
    super("The wallet's owner refused to sign.", {
      hint: "Run it again and confirm in the wallet.",
      docs: "docs/errors.md#payer-refused",
      cause,
    })
  }
}

/** A transaction was not mined within the time and fee allowed. */
export class TransactionStuckError extends FleetrootError {
  override name = "TransactionStuckError" as const
  override readonly code = "TRANSACTION_STUCK" as const
  readonly hash: string
  constructor({ hash, waitedSeconds, feeWei }: { hash: string; waitedSeconds: number; feeWei: bigint }) {
    super(`Transaction ${hash} was not mined within ${waitedSeconds} s at ${feeWei} wei a gas.`, {
      hint: "Run the same command again later: it goes on with the same transaction. Raise the fee cap if the chain is busy.",
      docs: "docs/errors.md#transaction-stuck",
    })
    this.hash = hash
  }
}

/** A transaction was mined and failed. */
export class TransactionFailedError extends FleetrootError {
  override name = "TransactionFailedError" as const
  override readonly code = "TRANSACTION_FAILED" as const
  readonly hash: string
  constructor({ hash, functionName }: { hash: string; functionName: string }) {
    super(`Transaction ${hash} (${functionName}) was mined and reverted.`, {
      hint: "The ledger changed between the check and the block; look at the state and run again.",
      docs: "docs/errors.md#transaction-failed",
    })
    this.hash = hash
  }
}

/** Two manufacturers prove the same key: nobody can say whose it is. */
export class KeyOwnerAmbiguousError extends FleetrootError {
  override name = "KeyOwnerAmbiguousError" as const
  override readonly code = "KEY_OWNER_AMBIGUOUS" as const
  constructor({ keyId, owners }: { keyId: string; owners: readonly number[] }) {
    super(`Key ${keyId} is proven by manufacturers ${owners.join(" and ")}.`, {
      hint: "Somebody shared a private key. The key must not be used; tell the consortium.",
      docs: "docs/errors.md#key-owner-ambiguous",
    })
  }
}

/** A number is out of its range. */
export class NumberOutOfRangeError extends FleetrootError {
  override name = "NumberOutOfRangeError" as const
  override readonly code = "NUMBER_OUT_OF_RANGE" as const
  constructor({ what, found, minimum, maximum }: { what: string; found: unknown; minimum: number; maximum: number }) {
    super(`${what} should be an integer from ${minimum} to ${maximum}; found ${String(found)}.`, {
      hint: "Numbers are written in decimal, without sign, space or exponent.",
      docs: "docs/errors.md#number-out-of-range",
    })
  }
}

/** A hash, key id or other subject is not 32 octets of lower-case hex. */
export class HashInvalidError extends FleetrootError {
  override name = "HashInvalidError" as const
  override readonly code = "HASH_INVALID" as const
  constructor({ what, found }: { what: string; found: unknown }) {
    super(`${what} should be 0x and 64 lower-case digits; found ${JSON.stringify(found)?.slice(0, 80) ?? "nothing"}.`, {
      hint: "Give the SHA-256 as this library and `fleetroot status` print it.",
      docs: "docs/errors.md#hash-invalid",
    })
  }
}

/** An account is not 20 octets of hex, or its checksum (ERC-55) is wrong. */
export class AddressInvalidError extends FleetrootError {
  override name = "AddressInvalidError" as const
  override readonly code = "ADDRESS_INVALID" as const
  constructor({ what, found }: { what: string; found: unknown }) {
    super(`${what} should be 0x and 40 digits; found ${JSON.stringify(found)?.slice(0, 80) ?? "nothing"}.`, {
      hint: "Copy the whole address. One in mixed case carries a checksum: a wrong digit shows.",
      docs: "docs/errors.md#address-invalid",
    })
  }
}
