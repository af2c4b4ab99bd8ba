/** A line on standard error about work that takes longer than a second, where somebody is looking. */
export type Progress = {
  update(done: number, total: number | undefined): void
  /** Takes the line away. */
  stop(): void
}

const QUIET_MS = 1_000

/** Shows nothing in the first second, or where standard error is not a terminal. */
export function startProgress(label: string): Progress {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined }
  const started = Date.now()
  let latest: { done: number; total: number | undefined } = { done: 0, total: undefined }
  let bar: { update(value: number): void; setTotal(total: number): void; stop(): void } | undefined
  let stopped = false
  let loading = false

  const show = async (): Promise<void> => {
    loading = true
    const { SingleBar, Presets } = await import("cli-progress")
    if (stopped) return
    const format = `${label} {bar} {percentage}% {value}/{total} {eta_formatted}`
    const created = new SingleBar({ format, stream: process.stderr, clearOnComplete: true, fps: 5 }, Presets.legacy)
    created.start(latest.total ?? latest.done, latest.done)
    bar = created
  }
  return {
    update: (done, total) => {
      latest = { done, total }
      if (bar === undefined) {
        if (!loading && Date.now() - started > QUIET_MS) show().catch(() => undefined)
        return
      }
      bar.setTotal(Math.max(total ?? done, 1))
      bar.update(done)
    },
    stop: () => {
      stopped = true
      bar?.stop()
    },
  }
}
