/** Pauses that all end at once when there is nothing to wait for any more. */
export class Pauses {
  readonly #running = new Map<NodeJS.Timeout, () => void>()
  #ended = false

  pause(milliseconds: number): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#running.delete(timer)
        resolve()
      }, milliseconds)
      this.#running.set(timer, resolve)
    })
  }

  end(): void {
    this.#ended = true
    for (const [timer, resolve] of this.#running) {
      clearTimeout(timer)
      resolve()
    }
    this.#running.clear()
  }
}
