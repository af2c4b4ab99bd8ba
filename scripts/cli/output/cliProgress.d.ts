// The package brings no types; these are the parts in use.
declare module "cli-progress" {
  export class SingleBar {
    constructor(
      options: { format: string; stream: NodeJS.WritableStream; clearOnComplete: boolean; fps: number },
      preset: object,
    )
    start(total: number, value: number): void
    update(value: number): void
    setTotal(total: number): void
    stop(): void
  }
  export const Presets: { readonly legacy: object }
}
