import { FleetrootError } from "./base.ts"

/** The parent of every error about what a program keeps on this machine: keys, journals, memory of heads. */
export class LocalStateError extends FleetrootError {
  override name = "LocalStateError"
  override readonly code: string = "LOCAL_STATE"
}

/** A file that holds a secret cannot be read at all. */
export class SecretFileUnreadableError extends LocalStateError {
  override name = "SecretFileUnreadableError" as const
  override readonly code = "SECRET_FILE_UNREADABLE"
  readonly path: string
  readonly reason: string

  constructor({ path, reason, cause }: { path: string; reason: string; cause?: unknown }) {
    super(`Cannot read ${path}: ${reason}.`, {
      hint: "Check the path and that the file is yours.",
      docs: "docs/errors.md#secret-file-unreadable",
      cause,
    })
    this.path = path
    this.reason = reason
  }
}

/** A file that holds a secret can be read or changed by others; it was not used. */
export class SecretFileExposedError extends LocalStateError {
  override name = "SecretFileExposedError" as const
  override readonly code = "SECRET_FILE_EXPOSED"
  readonly path: string
  /** The file's permission bits, in octal. */
  readonly mode: string

  constructor({ path, mode }: { path: string; mode: string }) {
    super(`${path} has mode ${mode}: others on this machine may read or change it.`, {
      hint: `Run: chmod 600 ${JSON.stringify(path)}. If others had access, treat the secret as known to them.`,
      docs: "docs/errors.md#secret-file-exposed",
    })
    this.path = path
    this.mode = mode
  }
}

/** A file is not an encrypted key in the form of Web3 Secret Storage, version 3. */
export class KeystoreMalformedError extends LocalStateError {
  override name = "KeystoreMalformedError" as const
  override readonly code = "KEYSTORE_MALFORMED"
  readonly field: string
  readonly expected: string

  constructor({ field, expected, cause }: { field: string; expected: string; cause?: unknown }) {
    super(`The keystore's ${field} should be ${expected}.`, {
      hint: "Give a keystore file of version 3, as geth, ethers and cast write it.",
      docs: "docs/errors.md#keystore-malformed",
      cause,
    })
    this.field = field
    this.expected = expected
  }
}

/** The passphrase does not open the keystore, or the keystore was changed. */
export class PassphraseWrongError extends LocalStateError {
  override name = "PassphraseWrongError" as const
  override readonly code = "PASSPHRASE_WRONG"
  readonly path: string

  constructor({ path }: { path: string }) {
    super(`The passphrase does not open ${path}.`, {
      hint: "Check the passphrase; a passphrase file may end with one line break, which is not part of it.",
      docs: "docs/errors.md#passphrase-wrong",
    })
    this.path = path
  }
}

/** A private key for transactions is not 32 octets in hex within the curve's order. The key is not kept. */
export class AccountKeyInvalidError extends LocalStateError {
  override name = "AccountKeyInvalidError" as const
  override readonly code = "ACCOUNT_KEY_INVALID"

  constructor({ where }: { where: string }) {
    super(`${where} does not hold a private key: expected 0x and 64 hexadecimal digits.`, {
      hint: "Check that the whole key was copied; better, use a keystore file (--keystore).",
      docs: "docs/errors.md#account-key-invalid",
    })
  }
}

/** Another run is sending transactions with the same account. */
export class RunInProgressError extends LocalStateError {
  override name = "RunInProgressError" as const
  override readonly code = "RUN_IN_PROGRESS"
  /** Who holds the account's journal, as that run described itself. */
  readonly holder: string

  constructor({ holder, waitedSeconds }: { holder: string; waitedSeconds: number }) {
    super(`Another run is using this account: ${holder}. Waited ${waitedSeconds} s for it.`, {
      hint: "Let it end, or stop it, and run this again: it goes on where the ledger stands.",
      docs: "docs/errors.md#run-in-progress",
    })
    this.holder = holder
  }
}

/** The folder or file in which a program keeps its state cannot be used. */
export class StateFolderError extends LocalStateError {
  override name = "StateFolderError" as const
  override readonly code = "STATE_FOLDER"
  readonly path: string
  readonly reason: string

  constructor({ path, reason, cause }: { path: string; reason: string; cause?: unknown }) {
    super(`Cannot keep state in ${path}: ${reason}.`, {
      hint: "Set FLEETROOT_STATE to a folder of your own on a local disk with free space.",
      docs: "docs/errors.md#state-folder",
      cause,
    })
    this.path = path
    this.reason = reason
  }
}

/** A journal of transactions is damaged, so nobody can say what was sent. */
export class JournalDamagedError extends LocalStateError {
  override name = "JournalDamagedError" as const
  override readonly code = "JOURNAL_DAMAGED"
  readonly path: string

  constructor({ path, cause }: { path: string; cause?: unknown }) {
    super(`The journal ${path} is damaged.`, {
      hint: "Wait until the account has no pending transaction on the chain, then move the file away and run again.",
      docs: "docs/errors.md#journal-damaged",
      cause,
    })
    this.path = path
  }
}
