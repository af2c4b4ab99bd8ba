import { FleetrootError } from "../errors/base.ts"
import type { Anchor } from "./anchor.ts"
import type { Credential } from "./credential.ts"
import { complaintsOf } from "./decide.ts"
import type { Complaint, Decision } from "./decide.ts"
import { readStanding } from "./standing.ts"
import { statusView } from "./statusView.ts"
import type { StatusMoment, StatusView } from "./statusView.ts"
import { run, wait } from "./steps.ts"
import type { Steps } from "./steps.ts"

/**
 * Bad news from a head that one endpoint alone tells of: nobody can say yet whether it is so. Then good is doubtful, until the
 * quorum has that block or another in its place.
 */
export function* loneClaim(credential: Credential, anchor: Anchor, moment: StatusMoment): Steps<Decision | undefined> {
  const { unconfirmed } = moment.head
  if (unconfirmed === undefined || unconfirmed.length === 0) return undefined
  const claims = yield* wait(
    Promise.all(unconfirmed.map(async (view) => claimOf(credential, anchor, moment, statusView(view)))),
  )
  const [complaint] = claims.flat()
  if (complaint === undefined) return undefined
  const detail = `${complaint.detail} One endpoint alone says so, of a block that the others do not have yet.`
  return { status: "unknown", reason: "revocationUnconfirmed", since: complaint.since, detail }
}

async function claimOf(
  credential: Credential,
  anchor: Anchor,
  moment: StatusMoment,
  view: StatusView,
): Promise<Complaint[]> {
  try {
    const standing = await run(readStanding(credential, anchor, { ...moment, head: view, settled: view, today: view }))
    return standing === undefined ? [] : complaintsOf(standing.facts)
  } catch (error) {
    // An endpoint that cannot show what it claims claims nothing.
    if (error instanceof FleetrootError) return []
    throw error
  }
}
