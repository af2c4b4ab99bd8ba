import type { Command } from "commander"
import { gatewaySettings, withGatewaySettings } from "../gateway/settings.ts"
import type { GatewayOptions } from "../gateway/settings.ts"
import { newCommand } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = GatewayOptions & { subject?: string; lifetime?: number }

const MOST_SECONDS = 365 * 86_400

/** `fleetroot gateway token`: leave to enrol once. */
export function gatewayTokenCommand(): Command {
  const command = newCommand(
    "token",
    "make a one-time token with which a device without a certificate may enrol: its password in HTTP Basic",
    "fleetroot gateway token --state gw/ --subject CN=device-7",
  )
    .option(
      "--subject <name>",
      "the one subject that it is for, such as O=Acme,CN=device-7; default: any that is nobody's",
    )
    .option("--lifetime <seconds>", "how long it may be used; default: a day", uint32("--lifetime", 1, MOST_SECONDS))
  return withGatewaySettings(command).action((options: Options) => runCommand(options.json, () => makeOne(options)))
}

async function makeOne(options: Options): Promise<Answer> {
  const { label, ...others } = options
  const config = await gatewaySettings(others)
  const [{ makeToken, openEnrolmentStore }, { openReader }, { mkdir }] = await Promise.all([
    import("../../../gateway/index.ts"),
    import("../openReader.ts"),
    import("node:fs/promises"),
  ])
  const { deployment } = await openReader({ ...others, deployment: config.deployment })
  await mkdir(config.state, { recursive: true, mode: 0o700 })
  const store = await openEnrolmentStore({ state: config.state, database: config.database, deployment })
  try {
    const { text, subject, expiresAt } = await makeToken(store, {
      ...(label === undefined ? {} : { label }),
      ...(options.subject === undefined ? {} : { subject: options.subject }),
      ...(options.lifetime === undefined ? {} : { lifetimeSeconds: options.lifetime }),
    })
    const until = new Date(expiresAt * 1000).toISOString()
    return {
      json: { token: text, label: label ?? "", subject: subject ?? null, expiresAt: until },
      // Nothing else, so that it can be piped.
      text: () => text,
    }
  } finally {
    await store.close()
  }
}
