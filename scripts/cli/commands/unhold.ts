import type { Command } from "commander"
import { newHoldCommand } from "../input/newHoldCommand.ts"

/** `fleetroot unhold`: ends a hold. A revocation cannot be ended. */
export function unholdCommand(): Command {
  return newHoldCommand({
    name: "unhold",
    summary: "end a hold",
    done: "no longer on hold",
    subjects: (client, subjects) => client.unhold(subjects),
    batch: (client, series) => client.unholdBatch(series),
  })
}
