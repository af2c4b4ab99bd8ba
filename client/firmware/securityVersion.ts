import { ReleaseFieldError } from "../errors/firmware.ts"

/** The highest security version that the contract takes. */
export const MAX_SECURITY_VERSION = 2 ** 40 - 1

/** @throws {@link ReleaseFieldError} */
export function assertSecurityVersion(value: number, minimum = 1): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= MAX_SECURITY_VERSION) return
  throw new ReleaseFieldError({
    field: "security version",
    expected: `an integer from ${minimum} to ${MAX_SECURITY_VERSION}`,
    found: String(value),
  })
}
