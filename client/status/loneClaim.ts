import { FleetrootError } from "../errors/base.ts"
import type { Moment } from "../ledger/moment.ts"
import type { Anchor } from "./anchor.ts"
import type { Credential } from "./credential.ts"
import { complaintsOf } from "./decide.ts"
import type { Decision } from "./decide.ts"
import { readStanding } from "./standing.ts"

/**
 * Bad news from a head that one endpoint alone tells of: nobody can say yet whether it is so. Then good is doubtful, until the
 * quorum has that block or another in its place.
 */
export async function loneClaim(credential: Credential, anchor: Anchor, moment: Moment): Promise<Decision | undefined> {
  const claims = await Promise.all(
    (moment.head.unconfirmed ?? []).map(async (view) => {
      try {
        const standing = await readStanding(credential, anchor, { ...moment, head: view, settled: view, today: view })
        return standing === undefined ? [] : complaintsOf(standing.facts)
      } catch (error) {
        // An endpoint that cannot show what it claims claims nothing.
        if (error instanceof FleetrootError) return []
        throw error
      }
    }),
  )
  const [complaint] = claims.flat()
  if (complaint === undefined) return undefined
  const detail = `${complaint.detail} One endpoint alone says so, of a block that the others do not have yet.`
  return { status: "unknown", reason: "revocationUnconfirmed", since: complaint.since, detail }
}
