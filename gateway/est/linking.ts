import { DER, DerReader, equalBytes, FleetrootError } from "../../client/index.ts"
import type { parseCsr } from "../../client/index.ts"
import { CsrUnlinkedError } from "../errors/enrolment.ts"
import type { HttpRequest } from "../http/route.ts"

/**
 * Whether requests are linked to the TLS connection that they come in (RFC 7030, 3.5): `required` of each, `checked` where a request
 * has a challengePassword, or `ignored`: for a proxy that ends TLS in front of the gateway, and for devices that have something else
 * in their challengePassword.
 */
export type ChannelLinking = "required" | "checked" | "ignored"

type Csr = ReturnType<typeof parseCsr>

/** RFC 2985, 5.4.1. */
const CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"
/** UTF8String, PrintableString, TeletexString, IA5String: base64 is written with the same octets in all of them. */
const STRINGS: ReadonlySet<number> = new Set([0x0c, 0x13, 0x14, 0x16])

/**
 * Checks that who made a request is at the other end of this very connection: its challengePassword is the base64 of what names the
 * connection, so that a request that somebody else caught or was given is worth nothing here. RFC 7030, 3.5; RFC 9266.
 *
 * @throws CsrUnlinkedError
 */
export function assertLinked(
  { attributes }: Csr,
  request: Pick<HttpRequest, "channelBinding">,
  linking: ChannelLinking,
): void {
  if (linking === "ignored") return
  const values = attributes.filter(({ oid }) => oid === CHALLENGE_PASSWORD).flatMap(({ values: all }) => all)
  const [value] = values
  if (value === undefined) {
    if (linking === "required") throw new CsrUnlinkedError({ reason: "it has no challengePassword" })
    return
  }
  if (values.length > 1) throw new CsrUnlinkedError({ reason: "it has more than one challengePassword" })
  const binding = request.channelBinding?.()
  if (binding === undefined || binding.length === 0) {
    throw new CsrUnlinkedError({ reason: "nothing names the connection that it came in" })
  }
  const expected = Buffer.from(Buffer.from(binding).toString("base64"), "latin1")
  if (!equalBytes(textOf(value), expected)) {
    throw new CsrUnlinkedError({ reason: "its challengePassword is not what names the connection that it came in" })
  }
}

/** The octets of a DirectoryString in one of the types that hold base64 as it is. */
function textOf(value: Uint8Array): Uint8Array {
  if (!STRINGS.has(value[0] ?? DER.sequence)) throw new CsrUnlinkedError({ reason: "its challengePassword is no text" })
  try {
    const reader = new DerReader(value)
    const text = reader.content(reader.read(reader.nextTag, "challengePassword"))
    reader.finish()
    return text
  } catch (cause) {
    if (!(cause instanceof FleetrootError)) throw cause
    throw new CsrUnlinkedError({ reason: "its challengePassword cannot be read", cause })
  }
}
