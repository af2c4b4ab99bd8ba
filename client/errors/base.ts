export type FleetrootErrorOptions = {
  /** The next step for whoever meets the error. */
  hint?: string
  /** Where the error is explained: an anchor in docs/errors.md. */
  docs?: string
  cause?: unknown
}

/**
 * The parent of every error that this library throws on purpose.
 *
 * Tell errors apart by class or by `code`, never by message text. `cause` is kept.
 */
export class FleetrootError extends Error {
  override name = "FleetrootError"
  /** Stable, in SCREAMING_SNAKE_CASE; survives minifiers and process borders. */
  readonly code: string = "FLEETROOT"
  readonly hint: string | undefined
  readonly docs: string | undefined

  constructor(message: string, options: FleetrootErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.hint = options.hint
    this.docs = options.docs
  }

  /** What `--json` and logs print: no stack, no secrets. */
  toJSON(): { error: string; code: string; message: string; hint?: string; docs?: string } {
    return {
      error: this.name,
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.docs === undefined ? {} : { docs: this.docs }),
    }
  }
}
