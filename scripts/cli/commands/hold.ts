import type { Command } from "commander"
import { newHoldCommand } from "../input/newHoldCommand.ts"

/** `fleetroot hold`: not good until further notice. */
export function holdCommand(): Command {
  return newHoldCommand({
    name: "hold",
    summary: "put certificates, their device keys or a batch on hold",
    done: "on hold",
    subjects: (client, subjects) => client.hold(subjects),
    batch: (client, series) => client.holdBatch(series),
  })
}
