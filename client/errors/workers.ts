import { FleetrootError } from "./base.ts"

/** A thread that checks signatures ended before it answered. What it was asked has no answer. */
export class VerifyThreadLostError extends FleetrootError {
  override name = "VerifyThreadLostError" as const
  override readonly code = "VERIFY_THREAD_LOST" as const
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`A thread that checks signatures ended before it answered: ${reason}.`, {
      hint: "Ask again: another thread takes its place. If it happens again, look at the memory of this process.",
      docs: "docs/errors.md#verify-thread-lost",
      cause,
    })
  }
}

/** The threads that check signatures were closed. */
export class VerifyThreadsClosedError extends FleetrootError {
  override name = "VerifyThreadsClosedError" as const
  override readonly code = "VERIFY_THREADS_CLOSED" as const
  constructor() {
    super("The threads that check signatures were closed.", {
      hint: "Close them after the last check, or make new ones.",
      docs: "docs/errors.md#verify-threads-closed",
    })
  }
}
