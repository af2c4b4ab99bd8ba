import { FleetrootError } from "./base.ts"

/** The parent of every error about keys in tokens: HSMs, smart cards, TPMs, through PKCS#11. */
export class Pkcs11Error extends FleetrootError {
  override name = "Pkcs11Error"
  override readonly code: string = "PKCS11"
}

/** The npm package `pkcs11js` is missing or was not built, or the token's own library cannot be loaded. */
export class Pkcs11ModuleError extends Pkcs11Error {
  override name = "Pkcs11ModuleError" as const
  override readonly code = "PKCS11_MODULE"
  readonly module: string

  constructor({ module, problem, cause }: { module: string; problem: string; cause?: unknown }) {
    super(`Cannot use ${module}: ${problem}.`, {
      hint: "Install the token's PKCS#11 library, and build the package: npm rebuild --ignore-scripts=false pkcs11js",
      docs: "docs/errors.md#pkcs11-module",
      cause,
    })
    this.module = module
  }
}

/** No token, or more than one, fits what was asked for. */
export class Pkcs11TokenError extends Pkcs11Error {
  override name = "Pkcs11TokenError" as const
  override readonly code = "PKCS11_TOKEN"
  readonly wanted: string
  readonly found: readonly string[]

  constructor({ wanted, found }: { wanted: string; found: readonly string[] }) {
    super(`${found.length === 0 ? "There is no" : "There is not exactly one"} token ${wanted}: ${list(found)}.`, {
      hint: "Name the token by its label; `pkcs11-tool --list-token-slots` shows them.",
      docs: "docs/errors.md#pkcs11-token",
    })
    this.wanted = wanted
    this.found = found
  }
}

/** The token refused the PIN. The PIN itself is not kept. */
export class Pkcs11PinError extends Pkcs11Error {
  override name = "Pkcs11PinError" as const
  override readonly code = "PKCS11_PIN"

  constructor({ reason }: { reason: string }) {
    super(`The token refused the PIN: ${reason}.`, {
      hint: "Check the PIN. Tokens lock themselves after a few wrong ones.",
      docs: "docs/errors.md#pkcs11-pin",
    })
  }
}

/** No key, or more than one, fits what was asked for, or the key is of a kind that signs nothing here. */
export class Pkcs11KeyError extends Pkcs11Error {
  override name = "Pkcs11KeyError" as const
  override readonly code = "PKCS11_KEY"
  readonly problem: string

  constructor({ problem }: { problem: string }) {
    super(`The token's key cannot be used: ${problem}.`, {
      hint: "Name a P-256, P-384 or RSA key by its label; its public half must be in the token under the same CKA_ID.",
      docs: "docs/errors.md#pkcs11-key",
    })
    this.problem = problem
  }
}

/** The token failed in the middle of its work. */
export class Pkcs11OperationError extends Pkcs11Error {
  override name = "Pkcs11OperationError" as const
  override readonly code = "PKCS11_OPERATION"
  readonly operation: string

  constructor({ operation, reason, cause }: { operation: string; reason: string; cause?: unknown }) {
    super(`The token failed to ${operation}: ${reason}.`, {
      hint: "Check that the token is there and has room for another session, then try again.",
      docs: "docs/errors.md#pkcs11-operation",
      cause,
    })
    this.operation = operation
  }
}

function list(found: readonly string[]): string {
  return found.length === 0 ? "none is there" : `there are ${found.map((label) => JSON.stringify(label)).join(", ")}`
}
