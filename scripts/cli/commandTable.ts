import type { Command } from "commander"
import { batchReceiptCommand } from "./commands/batchReceipt.ts"
import { batchRegisterCommand } from "./commands/batchRegister.ts"
import { batchShowCommand } from "./commands/batchShow.ts"
import { credentialRegisterCommand } from "./commands/credentialRegister.ts"
import { doctorCommand } from "./commands/doctor.ts"
import { firmwareListCommand } from "./commands/firmwareList.ts"
import { firmwareMinimumCommand } from "./commands/firmwareMinimum.ts"
import { firmwarePrepareCommand } from "./commands/firmwarePrepare.ts"
import { firmwarePublishCommand } from "./commands/firmwarePublish.ts"
import { firmwareRecallCommand } from "./commands/firmwareRecall.ts"
import { firmwareSignCommand } from "./commands/firmwareSign.ts"
import { firmwareThresholdCommand } from "./commands/firmwareThreshold.ts"
import { firmwareVerifyCommand } from "./commands/firmwareVerify.ts"
import { fleetMakeCommand } from "./commands/fleetMake.ts"
import { gatewayCommand } from "./commands/gateway.ts"
import { gatewayImportCommand } from "./commands/gatewayImport.ts"
import { gatewayPublishCommand } from "./commands/gatewayPublish.ts"
import { gatewayTokenCommand } from "./commands/gatewayToken.ts"
import { holdCommand } from "./commands/hold.ts"
import { keyAddCommand } from "./commands/keyAdd.ts"
import { keyListCommand } from "./commands/keyList.ts"
import { keyRevokeCommand } from "./commands/keyRevoke.ts"
import { manufacturerAddCommand } from "./commands/manufacturerAdd.ts"
import { manufacturerResumeCommand } from "./commands/manufacturerResume.ts"
import { manufacturerShowCommand } from "./commands/manufacturerShow.ts"
import { manufacturerSuspendCommand } from "./commands/manufacturerSuspend.ts"
import { operatorAddCommand } from "./commands/operatorAdd.ts"
import { operatorRemoveCommand } from "./commands/operatorRemove.ts"
import { replicaStatusCommand } from "./commands/replicaStatus.ts"
import { replicaSyncCommand } from "./commands/replicaSync.ts"
import { replicaVerifyCommand } from "./commands/replicaVerify.ts"
import { revokeCommand } from "./commands/revoke.ts"
import { snapshotCheckCommand } from "./commands/snapshotCheck.ts"
import { snapshotExportCommand } from "./commands/snapshotExport.ts"
import { snapshotMakeCommand } from "./commands/snapshotMake.ts"
import { statusCommand } from "./commands/status.ts"
import { testnetCommand } from "./commands/testnet.ts"
import { unholdCommand } from "./commands/unhold.ts"

type MakeCommand = () => Command

/** Commands of one word. */
export const TOP_COMMANDS: readonly MakeCommand[] = [
  testnetCommand,
  statusCommand,
  revokeCommand,
  holdCommand,
  unholdCommand,
  doctorCommand,
  gatewayCommand,
]

/** Commands of two words, by the first. */
export const GROUPS: readonly { name: string; summary: string; commands: readonly MakeCommand[] }[] = [
  {
    name: "manufacturer",
    summary: "who may vouch for devices",
    commands: [manufacturerAddCommand, manufacturerShowCommand, manufacturerSuspendCommand, manufacturerResumeCommand],
  },
  { name: "key", summary: "a manufacturer's keys", commands: [keyAddCommand, keyListCommand, keyRevokeCommand] },
  {
    name: "operator",
    summary: "accounts that act for a manufacturer",
    commands: [operatorAddCommand, operatorRemoveCommand],
  },
  {
    name: "batch",
    summary: "many devices in one transaction",
    commands: [batchRegisterCommand, batchShowCommand, batchReceiptCommand],
  },
  { name: "credential", summary: "devices one by one", commands: [credentialRegisterCommand] },
  {
    name: "firmware",
    summary: "releases, and what may be installed",
    commands: [
      firmwarePrepareCommand,
      firmwareSignCommand,
      firmwarePublishCommand,
      firmwareVerifyCommand,
      firmwareRecallCommand,
      firmwareListCommand,
      firmwareMinimumCommand,
      firmwareThresholdCommand,
    ],
  },
  {
    name: "snapshot",
    summary: "the status of a fleet at one block, in a file",
    commands: [snapshotMakeCommand, snapshotCheckCommand, snapshotExportCommand],
  },
  {
    name: "replica",
    summary: "a local copy of the ledger, proven complete",
    commands: [replicaSyncCommand, replicaVerifyCommand, replicaStatusCommand],
  },
  {
    name: "gateway",
    summary: "answer standard protocols from the ledger",
    commands: [gatewayImportCommand, gatewayPublishCommand, gatewayTokenCommand],
  },
  { name: "fleet", summary: "test fleets", commands: [fleetMakeCommand] },
]
