import { FleetrootError } from "./base.ts"

/** An ABI has a type, or lacks an item, that this library could encode. */
export class AbiTypeUnsupportedError extends FleetrootError {
  override name = "AbiTypeUnsupportedError" as const
  override readonly code = "ABI_TYPE_UNSUPPORTED" as const
  readonly type: string
  constructor({ type }: { type: string }) {
    super(`The ABI has no ${type} that can be encoded.`, {
      hint: "Use the registries' own ABIs, with functions, events and errors that are in them.",
      docs: "docs/errors.md#abi-type-unsupported",
    })
    this.type = type
  }
}

/** A value does not fit the type of the parameter that it is for. */
export class AbiValueInvalidError extends FleetrootError {
  override name = "AbiValueInvalidError" as const
  override readonly code = "ABI_VALUE_INVALID" as const
  readonly type: string
  constructor({ type, found, cause }: { type: string; found: string; cause?: unknown }) {
    super(`A contract's parameter must be ${type}, not ${found}.`, {
      hint: "Give a value within the type's range; addresses in lower case or with the right checksum.",
      docs: "docs/errors.md#abi-value-invalid",
      cause,
    })
    this.type = type
  }
}

/** Octets are not the canonical ABI encoding of any values of their types. */
export class AbiDataInvalidError extends FleetrootError {
  override name = "AbiDataInvalidError" as const
  override readonly code = "ABI_DATA_INVALID" as const
  /** Offset of the octets, in the whole. */
  readonly at: number
  constructor({ at, expected, found, cause }: { at: number; expected: string; found: string; cause?: unknown }) {
    super(`At octet ${at} of a contract's answer: expected ${expected}, found ${found}.`, {
      hint: "The node is broken or lies; use another.",
      docs: "docs/errors.md#abi-data-invalid",
      cause,
    })
    this.at = at
  }
}
