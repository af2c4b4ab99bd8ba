import { FleetrootError } from "./base.ts"

/** A replica that was never brought up to date has nothing to answer with. */
export class ReplicaNotSyncedError extends FleetrootError {
  override name = "ReplicaNotSyncedError" as const
  override readonly code = "REPLICA_NOT_SYNCED" as const
  constructor() {
    super("The replica holds nothing that was compared with the ledger yet.", {
      hint: "Sync it once: `fleetroot replica sync --dir DIR`.",
      docs: "docs/errors.md#replica-not-synced",
    })
  }
}

/** The state was read at a block that a reorganisation took off the chain. */
export class FleetStateUndoneError extends FleetrootError {
  override name = "FleetStateUndoneError" as const
  override readonly code = "FLEET_STATE_UNDONE" as const
  readonly block: number
  constructor({ block }: { block: number }) {
    super(`Block ${block}, which this state stands for, is no longer on the chain.`, {
      hint: "Take the replica's state anew and ask again.",
      docs: "docs/errors.md#fleet-state-undone",
    })
    this.block = block
  }
}

/** The node that logs are read from does not have the block that the ledger's head is. It may be late; nothing says that it lies. */
export class LogSourceBehindError extends FleetrootError {
  override name = "LogSourceBehindError" as const
  override readonly code = "LOG_SOURCE_BEHIND" as const
  readonly block: number
  constructor({ endpoint, block, hash, found }: { endpoint: string; block: number; hash: string; found: string }) {
    super(`${endpoint} should have block ${block} (${hash}); it has ${found}.`, {
      hint: "Sync again when the node has caught up, or read the logs from another one.",
      docs: "docs/errors.md#log-source-behind",
    })
    this.block = block
  }
}

/** What was read contradicts the ledger: until a sync succeeds again, the replica answers nothing. */
export class ReplicaContradictedError extends FleetrootError {
  override name = "ReplicaContradictedError"
  override readonly code: string = "REPLICA_CONTRADICTED"
}

const ANOTHER_NODE =
  "The node withholds, forges or garbles logs. Read them from another one; the replica goes on where it was last right."

/** A log is not one that a registry writes. */
export class LogMalformedError extends ReplicaContradictedError {
  override name = "LogMalformedError" as const
  override readonly code = "LOG_MALFORMED" as const
  readonly block: number | undefined
  constructor({ where, block, expected, found }: { where: string; block?: number; expected: string; found: string }) {
    super(`${where}: expected ${expected}, found ${found}.`, {
      hint: ANOTHER_NODE,
      docs: "docs/errors.md#log-malformed",
    })
    this.block = block
  }
}

/** A manufacturer's log has a gap, an entry twice, or its entries out of order. */
export class LogSequenceError extends ReplicaContradictedError {
  override name = "LogSequenceError" as const
  override readonly code = "LOG_SEQUENCE" as const
  readonly contract: string
  readonly manufacturerId: number
  readonly expected: number
  readonly found: number
  readonly block: number
  constructor(found: { contract: string; manufacturerId: number; expected: number; found: number; block: number }) {
    const { contract, manufacturerId, block } = found
    super(
      `Entry ${found.expected} of manufacturer ${manufacturerId} should come next in ${contract}; block ${block} has ${found.found}.`,
      { hint: ANOTHER_NODE, docs: "docs/errors.md#log-sequence" },
    )
    this.contract = contract
    this.manufacturerId = manufacturerId
    this.expected = found.expected
    this.found = found.found
    this.block = block
  }
}

/** A log says what no registry could have done. */
export class LogImpossibleError extends ReplicaContradictedError {
  override name = "LogImpossibleError" as const
  override readonly code = "LOG_IMPOSSIBLE" as const
  readonly manufacturerId: number
  readonly sequence: number
  readonly block: number
  constructor(entry: { event: string; manufacturerId: number; sequence: number; block: number; what: string }) {
    const { event, manufacturerId, sequence, block, what } = entry
    super(`${event}, entry ${sequence} of manufacturer ${manufacturerId} in block ${block}, cannot be: ${what}.`, {
      hint: ANOTHER_NODE,
      docs: "docs/errors.md#log-impossible",
    })
    this.manufacturerId = manufacturerId
    this.sequence = sequence
    this.block = block
  }
}

/** A log is said to be in a block that the chain does not have. */
export class LogBlockMismatchError extends ReplicaContradictedError {
  override name = "LogBlockMismatchError" as const
  override readonly code = "LOG_BLOCK_MISMATCH" as const
  readonly block: number
  constructor({ block, expected, found }: { block: number; expected: string; found: string }) {
    super(`Block ${block} is ${expected}; a log says ${found}.`, {
      hint: "The chain changed while it was read, or the node garbles. Sync again, or read from another node.",
      docs: "docs/errors.md#log-block-mismatch",
    })
    this.block = block
  }
}

/** The replayed log is not the ledger's: something is missing, altered, added or out of order. */
export class LogHeadMismatchError extends ReplicaContradictedError {
  override name = "LogHeadMismatchError" as const
  override readonly code = "LOG_HEAD_MISMATCH" as const
  readonly contract: string
  /** The manufacturer whose log differs; undefined if only the head over all logs does. */
  readonly manufacturerId: number | undefined
  /** How many entries were replayed, and how many the ledger has. */
  readonly replayed: number | undefined
  readonly recorded: number | undefined
  readonly block: number
  constructor(found: {
    contract: string
    manufacturerId?: number
    replayed?: number
    recorded?: number
    block: number
  }) {
    const { contract, manufacturerId, replayed, recorded, block } = found
    const whose =
      manufacturerId === undefined ? "The order of all entries" : `The log of manufacturer ${manufacturerId}`
    const lengths =
      replayed === undefined || recorded === undefined
        ? ""
        : replayed === recorded
          ? `: ${replayed} entries, of which one is another`
          : `: ${replayed} entries were read, ${recorded} are on the ledger`
    super(`${whose} in ${contract} is not the ledger's at block ${block}${lengths}.`, {
      hint: `${ANOTHER_NODE} If it says so of several nodes, read everything anew: \`fleetroot replica sync --rebuild\`.`,
      docs: "docs/errors.md#log-head-mismatch",
    })
    this.contract = contract
    this.manufacturerId = manufacturerId
    this.replayed = replayed
    this.recorded = recorded
    this.block = block
  }
}

/** A block that was final is no longer on the chain. */
export class FinalityViolatedError extends ReplicaContradictedError {
  override name = "FinalityViolatedError" as const
  override readonly code = "FINALITY_VIOLATED" as const
  readonly block: number
  constructor({ block, expected, found }: { block: number; expected: string; found: string }) {
    super(`Block ${block} was final as ${expected}; the chain now has ${found}.`, {
      hint: "The node follows another history: use another. If the chain itself went back, read it anew with `fleetroot replica sync --rebuild`.",
      docs: "docs/errors.md#finality-violated",
    })
    this.block = block
  }
}

/** Trouble with the place where a replica is kept. */
export class ReplicaStoreError extends FleetrootError {
  override name = "ReplicaStoreError"
  override readonly code: string = "REPLICA_STORE"
}

/** The file is broken, or does not hold what it held. */
export class ReplicaStoreDamagedError extends ReplicaStoreError {
  override name = "ReplicaStoreDamagedError" as const
  override readonly code = "REPLICA_STORE_DAMAGED" as const
  constructor({ path, reason, cause }: { path: string; reason: string; cause?: unknown }) {
    super(`The replica in ${path} is damaged: ${reason}.`, {
      hint: "Everything in it can be read from the chain again: `fleetroot replica sync --rebuild`.",
      docs: "docs/errors.md#replica-store-damaged",
      cause,
    })
  }
}

/** The file is a replica of another chain or deployment. */
export class ReplicaStoreForeignError extends ReplicaStoreError {
  override name = "ReplicaStoreForeignError" as const
  override readonly code = "REPLICA_STORE_FOREIGN" as const
  constructor({ path, expected, found }: { path: string; expected: string; found: string }) {
    super(`${path} should hold a replica of ${expected}; it holds ${found}.`, {
      hint: "Give each deployment a folder of its own.",
      docs: "docs/errors.md#replica-store-foreign",
    })
  }
}

/** The file was written by a newer version of this program. */
export class ReplicaStoreVersionError extends ReplicaStoreError {
  override name = "ReplicaStoreVersionError" as const
  override readonly code = "REPLICA_STORE_VERSION" as const
  constructor({ path, expected, found }: { path: string; expected: number; found: number }) {
    super(`${path} is of version ${found}; this program reads version ${expected}.`, {
      hint: "Use the newer program, or another folder.",
      docs: "docs/errors.md#replica-store-version",
    })
  }
}

/** Another process is writing the replica. */
export class ReplicaStoreBusyError extends ReplicaStoreError {
  override name = "ReplicaStoreBusyError" as const
  override readonly code = "REPLICA_STORE_BUSY" as const
  constructor({ path, cause }: { path: string; cause?: unknown }) {
    super(`Another process is writing the replica in ${path}.`, {
      hint: "Let one process sync it; others may read it.",
      docs: "docs/errors.md#replica-store-busy",
      cause,
    })
  }
}

/** The file cannot be read or written: no room, no permission, a failing disk. Nothing of what it held is lost. */
export class ReplicaStoreUnusableError extends ReplicaStoreError {
  override name = "ReplicaStoreUnusableError" as const
  override readonly code = "REPLICA_STORE_UNUSABLE" as const
  constructor({ path, reason, cause }: { path: string; reason: string; cause?: unknown }) {
    super(`The replica in ${path} cannot be used: ${reason}.`, {
      hint: "Make room or give access, and sync again: it goes on where it stopped.",
      docs: "docs/errors.md#replica-store-unusable",
      cause,
    })
  }
}
