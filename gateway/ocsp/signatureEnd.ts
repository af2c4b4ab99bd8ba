import type { Certificate } from "../../client/index.ts"
import { ResponderUnfitError } from "../errors/revocation.ts"

/** The part of a certificate that says when it counts. */
type Validity = Pick<Certificate, "notBefore" | "notAfter">

/**
 * Refuses to sign with, or below, a certificate that clients do not take now. RFC 5280, 4.1.2.5: both ends count.
 *
 * @throws ResponderUnfitError
 */
export function assertCurrent({ notBefore, notAfter }: Validity, whose: "it" | "its issuer", now: number): void {
  if (now < notBefore) throw new ResponderUnfitError({ reason: `${whose} is not valid yet` })
  if (now > notAfter) throw new ResponderUnfitError({ reason: `${whose} has expired` })
}

/** When an answer ends: after its own lifetime, but never after one of the certificates that clients check it by. */
export function signatureEnd(now: number, lifetimeSeconds: number, checkedBy: readonly Validity[]): number {
  return Math.min(now + lifetimeSeconds, ...checkedBy.map(({ notAfter }) => notAfter))
}
