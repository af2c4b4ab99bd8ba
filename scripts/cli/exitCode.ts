import { CliError, EXIT } from "./cliError.ts"
import type { ExitCode } from "./cliError.ts"

/** The ledger or the rules said no. */
const REFUSED = new Set([
  "ALREADY_REVOKED",
  "BATCH_EMPTY",
  "BATCH_MISSING",
  "BATCH_REFUSED",
  "BATCH_SERIES",
  "CONTRACT_REVERTED",
  "CREDENTIAL_TAKEN",
  "ISSUER_SIGNATURE_MISSING",
  "KEY_MISSING",
  "KEY_TAKEN",
  "MANIFEST_ROOT",
  "MANUFACTURER_UNKNOWN",
  "NOT_ON_HOLD",
  "RELEASE_CONFLICT",
  "RELEASE_FOREIGN",
  "RELEASE_SIGNATURES_COUNT",
  "RELEASE_SIGNATURE_INVALID",
  "RELEASE_SIGNER",
  "RELEASE_UNKNOWN",
  "ROOT_MISMATCH",
  "SERIAL_CONFLICT",
  "SERIES_USED",
  "SNAPSHOT_BLOCK",
  "SNAPSHOT_CHECKSUM",
  "SNAPSHOT_MISMATCH",
  "SNAPSHOT_SUBJECT",
  "TRANSACTION_FAILED",
])

/** An image that no device could install. */
const IMAGE_PREFIXES = /^(DETACHED|IMAGE|MCUBOOT|SUIT|TLV)_/

/** No answer could be had from this node, or of this machine, now. */
const UNDECIDED = new Set([
  "CHAIN_MISMATCH",
  "CLOCK_BEHIND",
  "CONTRACT_MISMATCH",
  "ENDPOINT_STATUS",
  "ENDPOINT_TIMEOUT",
  "ENDPOINT_UNREACHABLE",
  "FLEET_STATE_UNDONE",
  "GAS_CAP_EXCEEDED",
  "HEAD_ROLLED_BACK",
  "HISTORY_UNAVAILABLE",
  "JOURNAL_DAMAGED",
  "KEY_OWNER_AMBIGUOUS",
  "LISTEN_FAILED",
  "MANIFEST_READ",
  "MIRROR_ANSWER",
  "MIRROR_STATUS",
  "MIRROR_TIMEOUT",
  "MIRROR_TOO_LARGE",
  "MIRROR_UNREACHABLE",
  "OUTPUT_WRITE",
  "PKCS11_OPERATION",
  "REPLY_MALFORMED",
  "REPLY_TOO_LARGE",
  "RPC_REJECTED",
  "RUN_IN_PROGRESS",
  "SNAPSHOT_UNCHECKABLE",
  "SERIAL_STORE_UNUSABLE",
  "STALE_HEAD",
  "STATE_FOLDER",
  "TIME_OUT_OF_RANGE",
  "TRANSACTION_STUCK",
  "WEB_CRYPTO_MISSING",
])

/** What the caller gave is wrong: files, keys, numbers. */
const USAGE_PREFIXES =
  /^(ACCOUNT_KEY|ADDRESS|ALGORITHM|BATCH|CBOR|CERTIFICATE|CONSISTENCY|COSE|CRL_LIFETIME|CSR|DEPLOYMENT|DER|FIRMWARE|FLEET|GATEWAY|HASH|HEX|INDEX|INPUT|ISSUER_UNFIT|KEYSTORE|KEY_|MANIFEST|NUMBER|OUTPUT|PASSPHRASE|PEM|PKCS11|PLACE|PRIVATE_KEY|PROOF|PROXY|PUBLIC_KEY|RAW_PUBLIC_KEY|RECEIPT|RELEASE|RESPONDER|SECRET|SERIAL|SIGNATURE|SNAPSHOT|STATUS_LIST|TLS|TREE)/

/** The exit code that an error deserves. What nobody foresaw is never `good`, nor the caller's fault. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode
  const code = (error as { code?: unknown } | null)?.code
  // Only errors of the library have these codes; a system error's (ENOENT) is nobody's verdict.
  if (!isLibraryError(error) || typeof code !== "string") return EXIT.undecided
  if (REFUSED.has(code) || IMAGE_PREFIXES.test(code)) return EXIT.notGood
  if (UNDECIDED.has(code)) return EXIT.undecided
  return USAGE_PREFIXES.test(code) ? EXIT.usage : EXIT.undecided
}

/** Whether an error is the library's, without loading the library to ask. */
export function isLibraryError(error: unknown): error is Error & { hint?: string; toJSON(): Record<string, unknown> } {
  return error instanceof Error && typeof (error as { toJSON?: unknown }).toJSON === "function" && "docs" in error
}
