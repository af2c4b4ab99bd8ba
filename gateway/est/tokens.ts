import { createHash, randomBytes } from "node:crypto"
import type { Hex } from "../../client/index.ts"
import type { EnrolmentStore, EnrolmentToken } from "../store/enrolmentStore.ts"

export type MakeTokenParameters = {
  /** The EST label that it is for. Default: "", the one without a name. */
  readonly label?: string
  /** The one subject that it is for, as `readSubject` writes names: `O=Acme,CN=device-1`. Default: any that is nobody's. */
  readonly subject?: string
  /** How long it may be used, in seconds. Default: a day. */
  readonly lifetimeSeconds?: number
  /** The clock. Default: the platform's. */
  readonly now?: () => Date
}

const DAY = 86_400
/** 160 bits: nobody guesses one, so its hash needs no salt and no work. */
const TOKEN_OCTETS = 20

/** Makes a one-time token for HTTP Basic. Its text is shown once, here; the store has its hash. */
export async function makeToken(
  store: EnrolmentStore,
  { label = "", subject, lifetimeSeconds = DAY, now = () => new Date() }: MakeTokenParameters = {},
): Promise<{ readonly text: string } & EnrolmentToken> {
  const text = randomBytes(TOKEN_OCTETS).toString("base64url")
  const expiresAt = Math.floor(now().getTime() / 1000) + lifetimeSeconds
  const token: EnrolmentToken = { hash: tokenHash(text), label, subject, expiresAt }
  await store.addToken(token)
  return { text, ...token }
}

export function tokenHash(text: string): Hex {
  return `0x${createHash("sha256").update(text, "utf8").digest("hex")}`
}

/** The password in an Authorization header; whatever user name stands before it. RFC 7617. */
export function basicPassword(authorization: string | undefined): string | undefined {
  const [, base64] = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? "") ?? []
  if (base64 === undefined) return undefined
  const text = Buffer.from(base64, "base64").toString("utf8")
  const colon = text.indexOf(":")
  return colon === -1 ? undefined : text.slice(colon + 1)
}
