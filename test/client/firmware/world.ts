import { FirmwareClient, FirmwareVerifier, generateP256Key, signRelease } from "../../../client/index.ts"
import type {
  CheckFirmwareParameters,
  FirmwareVerdict,
  FirmwareVerifierOptions,
  ImageInput,
  KeySigner,
  ManufacturerClient,
  Release,
} from "../../../client/index.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { FreshLedgerOptions, TestLedger } from "../../helpers/ledger.ts"

export const PRODUCT = "acme-9271"

/** A ledger with a manufacturer that has firmware keys, and how its firmware is checked. */
export class FirmwareWorld {
  readonly net: TestLedger
  readonly maker: ManufacturerClient
  readonly firmware: FirmwareClient

  constructor(net: TestLedger, maker: ManufacturerClient, account: number) {
    this.net = net
    this.maker = maker
    const { ledger, rpc } = net
    const { manufacturerId } = maker
    this.firmware = new FirmwareClient({ ledger, rpc, writer: net.writer(account), manufacturerId })
  }

  static async start(options: FreshLedgerOptions = {}): Promise<FirmwareWorld> {
    const net = await freshLedger("default", options)
    return FirmwareWorld.admit(net, "Acme Works", 1)
  }

  static async admit(net: TestLedger, name: string, account: number): Promise<FirmwareWorld> {
    return new FirmwareWorld(net, await net.admit(name, account), account)
  }

  /** Puts keys on the ledger, fresh P-256 ones by default, and lets them become current. */
  async addKeys(...signers: readonly KeySigner[]): Promise<KeySigner[]> {
    const keys = signers.length > 0 ? [...signers] : [await generateP256Key()]
    for (const signer of keys) await this.maker.addKey({ purpose: "firmware", signer })
    await this.net.pass(10)
    return keys
  }

  /** Releases an image, signed by these keys. */
  async release(
    image: ImageInput,
    signers: readonly KeySigner[],
    options: { securityVersion?: number; product?: string; manifest?: Uint8Array; parts?: readonly ImageInput[] } = {},
  ): Promise<Release> {
    const { product = PRODUCT, ...rest } = options
    let draft = await this.firmware.prepare({ product, image, version: "1.4.0", ...rest })
    for (const signer of signers) draft = await signRelease(draft, signer)
    const { release } = await this.firmware.publish(draft)
    await this.net.pass(10)
    return release
  }

  verifier(options: Partial<FirmwareVerifierOptions> = {}): FirmwareVerifier {
    return new FirmwareVerifier({ ledger: this.net.ledger, now: () => this.net.clock, ...options })
  }

  /** The verdict about an image of this manufacturer. */
  check(image: ImageInput, options: Partial<CheckFirmwareParameters> = {}): Promise<FirmwareVerdict> {
    const { manufacturerId } = this.maker
    return this.verifier().check({ image, manufacturerId, product: PRODUCT, ...options })
  }

  /** The names of the checks that fail: none, if the image may be installed. */
  async failing(image: ImageInput, options: Partial<CheckFirmwareParameters> = {}): Promise<string[]> {
    return failed(await this.check(image, options))
  }
}

/** The names of the checks that fail. A verdict that is no, but says not why, is a fault by itself. */
export function failed({ installable, checks }: FirmwareVerdict): string[] {
  const names = checks.filter(({ ok }) => !ok).map(({ name }) => name)
  return installable === (names.length === 0) ? names : ["inconsistent", ...names]
}
