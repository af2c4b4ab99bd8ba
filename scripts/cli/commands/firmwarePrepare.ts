import type { Command } from "commander"
import { FIRMWARE_OPTIONS, collectFile, securityVersion } from "../firmware/options.ts"
import { readManifest, withImages, writeRelease } from "../firmware/files.ts"
import { draftJson, draftText } from "../firmware/releaseText.ts"
import { openLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { printable } from "../output/printable.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & {
  manufacturer: number
  product: string
  image: string
  manifest?: string
  part?: readonly string[]
  securityVersion?: number
  version: string
  uri?: string
  out: string
}

/** `fleetroot firmware prepare`: the statement that the signers sign, in a file that travels between them. */
export function firmwarePrepareCommand(): Command {
  return newCommand(
    "prepare",
    "make the statement about an image that its signers sign",
    "fleetroot firmware prepare --manufacturer 2 --product acme-9271 --image app-v1.4.0.bin --security-version 7 --version 1.4.0 --out release.json",
  )
    .requiredOption(...FIRMWARE_OPTIONS.manufacturer, uint32("--manufacturer"))
    .requiredOption(...FIRMWARE_OPTIONS.product)
    .requiredOption("--image <file>", "the image: MCUboot, a component of a SUIT manifest, or any file")
    .option(...FIRMWARE_OPTIONS.manifest)
    .option(...FIRMWARE_OPTIONS.part, collectFile)
    .option(
      "--security-version <n>",
      "the anti-rollback counter; default: the one in the image",
      securityVersion("--security-version"),
    )
    .requiredOption("--version <text>", "version for people, up to 64 octets")
    .option("--uri <uri>", "where the image may be had, up to 512 octets")
    .requiredOption("--out <file>", "where the release is written; sign it with `fleetroot firmware sign`")
    .action((options: Options) => runCommand(options.json, () => prepare(options)))
}

async function prepare(options: Options): Promise<Answer> {
  const open = await openLedger(options)
  const { client, deployment } = open
  const { manufacturer: manufacturerId, product, image: path, part = [], version, uri, out } = options
  const manifest = await readManifest(open, options.manifest)
  const progress = startProgress("reading the image")
  const draft = await withImages(open, path, part, (image, parts) =>
    client.prepareRelease({
      deployment,
      manufacturerId,
      product,
      image,
      parts,
      ...manifest,
      version,
      ...(uri === undefined ? {} : { uri }),
      ...(options.securityVersion === undefined ? {} : { securityVersion: options.securityVersion }),
      onProgress: (bytes) => progress.update(bytes, image.size),
    }),
  ).finally(() => progress.stop())
  await writeRelease(open, out, draft)
  return {
    json: { file: out, ...draftJson(client, draft) },
    text: () => `${draftText(client, draft)}\nwritten to ${printable(out)}; each signer runs: fleetroot firmware sign`,
  }
}
