/** What the command says to its caller by its exit code. */
export const EXIT = { good: 0, notGood: 1, usage: 2, undecided: 3 } as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export type CliErrorOptions = { hint?: string; exitCode?: ExitCode; cause?: unknown }

/**
 * An error of the command line itself. The library's errors are not used here, because loading the library takes longer than most
 * wrong command lines deserve.
 */
export class CliError extends Error {
  override readonly name: string = "CliError"
  readonly code: string = "CLI"
  readonly hint: string | undefined
  readonly exitCode: ExitCode

  constructor(message: string, { hint, exitCode = EXIT.usage, cause }: CliErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.hint = hint
    this.exitCode = exitCode
  }

  get docs(): string {
    return `docs/errors.md#${this.code.toLowerCase().replaceAll("_", "-")}`
  }

  /** What `--json` prints. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, hint, docs } = this
    return { error: name, code, message, ...(hint === undefined ? {} : { hint }), docs }
  }
}

/** A word of the command line is not what its place demands. */
export class UsageError extends CliError {
  override readonly name = "UsageError"
  override readonly code = "USAGE"
}

/** No deployment file was named and none lies in this folder. */
export class DeploymentMissingError extends CliError {
  override readonly name = "DeploymentMissingError"
  override readonly code = "DEPLOYMENT_MISSING"

  constructor({ path, cause }: { path: string; cause?: unknown }) {
    super(`There is no deployment file ${path}.`, {
      hint: "Name one with --deployment or FLEETROOT_DEPLOYMENT; `fleetroot testnet` writes one when it is ready.",
      cause,
    })
  }
}

/** Nobody said which account signs and pays. */
export class SignerMissingError extends CliError {
  override readonly name = "SignerMissingError"
  override readonly code = "SIGNER_MISSING"

  constructor({ chainId }: { chainId: number }) {
    super(`No account was given to sign for on chain ${chainId}.`, {
      hint: "Give --keystore FILE, or set FLEETROOT_PRIVATE_KEY. Only on a testnet of your own is there a default.",
    })
  }
}

/** A fingerprint was given where only a credential hash can be found on the ledger. */
export class FingerprintGivenError extends CliError {
  override readonly name = "FingerprintGivenError"
  override readonly code = "FINGERPRINT_GIVEN"

  constructor({ given }: { given: string }) {
    super(`${given} is a fingerprint (SHA-256 of a whole certificate).`, {
      hint: "The ledger knows credential hashes (SHA-256 of the TBSCertificate). Give the certificate file, or the credential hash that `fleetroot status --json` shows.",
    })
  }
}

/** A certificate is not signed by any key of the manufacturer that was named. */
export class CertificateForeignError extends CliError {
  override readonly name = "CertificateForeignError"
  override readonly code = "CERTIFICATE_FOREIGN"

  constructor({ file, manufacturerId, keys = "issuing" }: { file: string; manufacturerId: number; keys?: string }) {
    super(`${file} is not signed by any ${keys} key of manufacturer ${manufacturerId}.`, {
      hint: "Check --manufacturer and `fleetroot key list`: what is said of a certificate counts only where its issuer is at home.",
      exitCode: EXIT.notGood,
    })
  }
}

/** A certificate or public key does not belong to the private key that was given with it. */
export class KeyPairMismatchError extends CliError {
  override readonly name = "KeyPairMismatchError"
  override readonly code = "KEY_PAIR_MISMATCH"

  constructor({ publicFile, keyFile }: { publicFile: string; keyFile: string }) {
    super(`${keyFile} is not the private key of ${publicFile}.`, {
      hint: "Give the key file that was made together with this certificate or public key.",
    })
  }
}

/** The file from which a batch's root could be rebuilt is not there. */
export class ManifestUnavailableError extends CliError {
  override readonly name = "ManifestUnavailableError"
  override readonly code = "MANIFEST_UNAVAILABLE"

  constructor({ path, series, cause }: { path: string | undefined; series: number | undefined; cause?: unknown }) {
    const whose = series === undefined ? "the batch" : `batch ${series}`
    super(
      path === undefined
        ? `No manifest of ${whose} was given, so its root cannot be rebuilt.`
        : `The manifest ${path} of ${whose} cannot be read.`,
      {
        hint: "Give it with --manifest. The manufacturer, or any mirror, has it: it is addressed by the batch's root.",
        exitCode: EXIT.undecided,
        cause,
      },
    )
  }
}

/** A manifest, receipt or series is of another batch, registry or chain than the command is about. */
export class PlaceMismatchError extends CliError {
  override readonly name = "PlaceMismatchError"
  override readonly code = "PLACE_MISMATCH"

  constructor({ what, expected, found }: { what: string; expected: string; found: string }) {
    super(`${what} is for ${found}, not for ${expected}.`, {
      hint: "Give the file that was written for this batch of this deployment.",
      exitCode: EXIT.notGood,
    })
  }
}

/** The testnet cannot run here. */
export class TestnetUnavailableError extends CliError {
  override readonly name = "TestnetUnavailableError"
  override readonly code = "TESTNET_UNAVAILABLE"
}

/** A certificate that no verifier would call good is not worth registering. */
export class CredentialUnfitError extends CliError {
  override readonly name = "CredentialUnfitError"
  override readonly code = "CREDENTIAL_UNFIT"

  constructor({ file, problem }: { file: string; problem: string }) {
    super(`${file} cannot be registered: ${problem}`, {
      hint: "Nothing was sent. Correct the certificate, or leave it out.",
      exitCode: EXIT.notGood,
    })
  }
}
