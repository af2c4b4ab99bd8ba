import type { PlaceStatus } from "../../client/index.ts"
import type { FreshFleet } from "./freshFleet.ts"

/** Beyond this many the oldest are forgotten: by then they are final. */
const CAPACITY = 65_536

/**
 * Bad news that was given out from a head which was not final yet. A reorganisation may take its block away; until the chain is
 * final past it, the news stands.
 */
export class LastingNews {
  readonly #told = new Map<string, { readonly status: PlaceStatus; readonly blockNumber: number }>()

  /** What to say of `subject`, of which the ledger says `status` now. */
  standing(subject: string, status: PlaceStatus, { head, settled }: Pick<FreshFleet, "head" | "settled">): PlaceStatus {
    if (status.status === "revoked" || status.status === "onHold") {
      if (head.block.number > settled.block.number) this.#remember(subject, status, head.block.number)
      return status
    }
    const told = this.#told.get(subject)
    if (told === undefined) return status
    if (told.blockNumber > settled.block.number) return told.status
    this.#told.delete(subject)
    return status
  }

  #remember(subject: string, status: PlaceStatus, blockNumber: number): void {
    this.#told.delete(subject)
    this.#told.set(subject, { status, blockNumber })
    if (this.#told.size <= CAPACITY) return
    const [oldest] = this.#told.keys()
    if (oldest !== undefined) this.#told.delete(oldest)
  }
}
