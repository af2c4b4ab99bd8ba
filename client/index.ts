/**
 * Fleetroot: check, register and revoke device credentials on an EVM ledger.
 *
 * Runs in Node and in browsers; what needs Node is in `fleetroot/node`.
 */
export * from "./errors/index.ts"

export { defaultCrypto } from "./crypto/defaultCrypto.ts"
export { nativeCrypto } from "./crypto/nativeCrypto.ts"
export { nobleCrypto } from "./crypto/nobleCrypto.ts"
export { webCrypto } from "./crypto/webCrypto.ts"
export { equalBytes, fromHex, toHex } from "./crypto/hex.ts"
export type { Hex } from "./crypto/hex.ts"
export { keyIdOf } from "./crypto/keyId.ts"
export { sha256 } from "./crypto/sha256.ts"
export { generateP256Key, signerFromPkcs8 } from "./crypto/signer.ts"
export type { ExportableKeySigner, KeySigner } from "./crypto/signer.ts"
export { DerReader, oidText } from "./crypto/derReader.ts"
export { derBitString, derElement, derOctetString, derSequence, derUnsigned } from "./crypto/derWriter.ts"
export { assertStrictDer, DER } from "./crypto/strictDer.ts"
export type { DerElement } from "./crypto/strictDer.ts"
export { ecdsaDerToRaw, ecdsaRawToDer, normalizeLowS, P256_ORDER, splitRaw } from "./crypto/ecdsa.ts"
export { keyAlgorithmOf } from "./crypto/publicKey.ts"
export type { CryptoBackend, KeyAlgorithm, SignatureAlgorithm, VerifyParameters } from "./crypto/types.ts"

export { parseCertificate } from "./x509/certificate.ts"
export type { Certificate } from "./x509/certificate.ts"
export { checkDeviceProfile } from "./x509/deviceProfile.ts"
export { readSignatureAlgorithm, signatureAlgorithmFor, signatureAlgorithmIdentifier } from "./x509/algorithms.ts"
export { keyIdentifiersOf } from "./x509/keyIdentifiers.ts"
export { encodeExtensions } from "./x509/encodeExtensions.ts"
export { readExtensions } from "./x509/extensions.ts"
export type { CertificateExtension } from "./x509/extensions.ts"
export { readTime } from "./x509/validityTime.ts"
export { verifyCertificateSignature } from "./x509/verifyCertificate.ts"
export { buildCertificate, buildCsr } from "./x509/build.ts"
export type { BuildCertificateParameters } from "./x509/build.ts"
export type { SubjectName } from "./x509/nameEncoding.ts"
export { parseCsr, verifyCsr } from "./x509/csr.ts"
export { decodePem, encodePem, readOneCertificate } from "./x509/pem.ts"
export { decodePositionSerial, encodePositionSerial, positionSerialMatches } from "./x509/positionSerial.ts"

export { decodeRawPublicKey, encodeRawPublicKey } from "./cose/rawPublicKey.ts"

export { MerkleTree, MerkleTreeBuilder, verifyConsistency, verifyInclusion } from "./merkle/tree.ts"
export {
  bytesSource,
  decodeManifestHeader,
  encodeManifestHeader,
  readManifest,
  readManifestHeader,
} from "./merkle/manifest.ts"
export type { Manifest, ManifestHeader, ManifestSource } from "./merkle/manifest.ts"
export { decodeReceipt, encodeReceipt } from "./merkle/receipt.ts"
export type { Receipt } from "./merkle/receipt.ts"
export { oneReceipt } from "./merkle/receiptSource.ts"
export type { ReceiptSource } from "./merkle/receiptSource.ts"
export { receiptsFromManifest } from "./merkle/manifestReceipts.ts"

export { formatDeployment, parseDeployment } from "./ledger/deployment.ts"
export type { Deployment } from "./ledger/deployment.ts"
export { httpRpc } from "./ledger/rpc/httpRpc.ts"
export type { HttpRpcOptions } from "./ledger/rpc/httpRpc.ts"
export { jsonRpcFrom } from "./ledger/rpc/jsonRpc.ts"
export type { JsonRpc, RpcCall } from "./ledger/rpc/jsonRpc.ts"
export { RpcLedger } from "./ledger/rpcLedger.ts"
export type { HeadMemory, RpcLedgerOptions } from "./ledger/rpcLedger.ts"
export { ProvenLedger } from "./ledger/proven/provenLedger.ts"
export type { ProvenLedgerOptions } from "./ledger/proven/provenLedger.ts"
export type { BlockSource, LoneHead, SourcedBlock, SourcedHeads } from "./ledger/proven/blockSource.ts"
export type { NodeBlock } from "./ledger/proven/nodeHeads.ts"
export { QuorumLedger } from "./ledger/quorum/quorumLedger.ts"
export type { QuorumLedgerOptions } from "./ledger/quorum/quorumLedger.ts"
export { QuorumBlocks } from "./ledger/quorum/quorumBlocks.ts"
export type { AgreedBlock, QuorumOptions } from "./ledger/quorum/quorumBlocks.ts"
export { BatchIndex } from "./ledger/replica/batchIndex.ts"
export type { AddManifestOptions, AddedManifest, BatchIndexOptions } from "./ledger/replica/batchIndex.ts"
export { httpManifestSource } from "./ledger/replica/httpManifestSource.ts"
export type { HttpManifestOptions } from "./ledger/replica/httpManifestSource.ts"
export { CONTESTED, indexOfFound, NOT_INDEXED } from "./ledger/replica/claims.ts"
export type { Claim, IndexedBatch } from "./ledger/replica/claims.ts"
export { LedgerWriter, TRANSACTION_GAS_CAP } from "./ledger/writer.ts"
export type { LedgerWriterOptions, Mined, Payer, UnsignedTransaction } from "./ledger/writer.ts"
export { memoryJournal } from "./ledger/journal.ts"
export type { Journal, JournalEntry } from "./ledger/journal.ts"
export { batchRegistrationStatement, keyPossessionStatement, selfRevocationStatement } from "./ledger/statements.ts"
export type * from "./ledger/ledger.ts"
export type { FleetChange, FleetState, PlaceMark } from "./ledger/replica/fleetState.ts"
export type { LogState } from "./ledger/replica/logState.ts"
export { memoryStore } from "./ledger/replica/memoryStore.ts"
export { Replica } from "./ledger/replica/replica.ts"
export type {
  ReplicaOptions,
  ReplicaStatus,
  SyncOptions,
  SyncProgress,
  SyncReport,
  VerifyReport,
} from "./ledger/replica/replica.ts"
export type {
  ComparedPoint,
  GlobalHeads,
  ReplicaBlock,
  ReplicaCursor,
  ReplicaRow,
  ReplicaStore,
  ReplicaWrite,
} from "./ledger/replica/replicaStore.ts"
export { ReplicaView } from "./ledger/replica/replicaView.ts"

export { Verifier } from "./status/verifier.ts"
export type { CheckOptions, ManyVerdict, StreamOptions, VerifierOptions } from "./status/verifier.ts"
export { placeRuns, placeStatus, placeStatuses, unmarkedPlaceStatus } from "./status/placeStatus.ts"
export type {
  BarredPlace,
  BarredRun,
  BatchQuestion,
  PlaceQuestion,
  PlaceStatus,
  PlaceStatusesQuestion,
} from "./status/placeStatus.ts"
export { credentialStatus } from "./status/credentialStatus.ts"
export type { CredentialQuestion } from "./status/credentialStatus.ts"
export { StatusTable } from "./status/statusTable.ts"
export type { BatchStatuses, StatusTableOptions, TableStatus } from "./status/statusTable.ts"
export { REVOCATION_REASONS } from "./status/verdict.ts"
export type { DeviceStatus, RefusalReason, RevocationReason, Verdict, VerdictBatch } from "./status/verdict.ts"

export { checkSnapshot } from "./snapshot/checkSnapshot.ts"
export type { CheckSnapshotOptions, SnapshotCheck } from "./snapshot/checkSnapshot.ts"
export { encodeSnapshot } from "./snapshot/encodeSnapshot.ts"
export { makeSnapshot } from "./snapshot/makeSnapshot.ts"
export type { MakeSnapshotOptions } from "./snapshot/makeSnapshot.ts"
export { PlaceSet } from "./snapshot/placeSet.ts"
export { readSnapshot } from "./snapshot/readSnapshot.ts"
export type { ReadSnapshotOptions } from "./snapshot/readSnapshot.ts"
export type { Snapshot, SnapshotBatch, SnapshotManufacturer } from "./snapshot/snapshot.ts"
export { SnapshotState } from "./snapshot/snapshotState.ts"
export {
  decodeStatusListCbor,
  decodeStatusListJson,
  encodeStatusListCbor,
  encodeStatusListJson,
  StatusList,
} from "./snapshot/statusList.ts"
export type { BarredPlaces, DecodeStatusListOptions, StatusListBits } from "./snapshot/statusList.ts"
export {
  decodeStatusListCwt,
  decodeStatusListJwt,
  signStatusListCwt,
  signStatusListJwt,
  verifyStatusListCwt,
  verifyStatusListJwt,
} from "./snapshot/statusListToken.ts"
export type { SignStatusListOptions, StatusListClaims, VerifyStatusListOptions } from "./snapshot/statusListToken.ts"

export { ManufacturerClient, OPERATOR_RIGHT } from "./manufacturer/manufacturerClient.ts"
export type { ManufacturerClientOptions, OperatorRight } from "./manufacturer/manufacturerClient.ts"
export { RESERVED_SERIES, usedSeries } from "./manufacturer/batches.ts"
export type { RegisterBatchParameters } from "./manufacturer/batches.ts"
export { listKeys } from "./manufacturer/keys.ts"
export type { AddKeyParameters } from "./manufacturer/keys.ts"
export type { LoneCredential, RevokeParameters, Subject } from "./manufacturer/marks.ts"
export type { WriteOutcome } from "./manufacturer/context.ts"
export { DeviceClient } from "./device/deviceClient.ts"
export { readRoleHolders } from "./governance/roleHolders.ts"
export type { GovernanceRole, RoleHolder } from "./governance/roleHolders.ts"
export { GovernanceClient } from "./governance/governanceClient.ts"
export type { Admission, AdmissionResult } from "./governance/governanceClient.ts"

export { buildBatch } from "./batch/buildBatch.ts"
export type { BatchProgress, BuildBatchParameters } from "./batch/buildBatch.ts"
export type { BuiltBatch, DeviceReceipt, OpenBatchPlace } from "./batch/builtBatch.ts"
export type { BatchDevice } from "./batch/orderedBatch.ts"
export type { EarlierBatch } from "./batch/dropEarlier.ts"
export type { BatchRow } from "./batch/batchRow.ts"

export { FirmwareVerifier, verifyFirmware } from "./firmware/firmwareVerifier.ts"
export type { CheckFirmwareParameters, FirmwareVerifierOptions } from "./firmware/firmwareVerifier.ts"
export type {
  FirmwareCheck,
  FirmwareCheckName,
  FirmwareFormat,
  FirmwareVerdict,
  VerdictRelease,
} from "./firmware/verdict.ts"
export { processFirmwareMemory } from "./firmware/firmwareMemory.ts"
export type { FirmwareMemory, ProductKey } from "./firmware/firmwareMemory.ts"
export { bytesImage } from "./firmware/imageSource.ts"
export type { ImageInput, ImageSource } from "./firmware/imageSource.ts"
export { imageDigests } from "./firmware/inspectImage.ts"
export { FirmwareClient, listReleases, prepareRelease } from "./firmware/firmwareClient.ts"
export type { FirmwareClientOptions, ListedRelease, PrepareReleaseParameters } from "./firmware/firmwareClient.ts"
export { isSignedBy, releaseStatement, signRelease } from "./firmware/release.ts"
export type { ReleaseDraft, ReleaseFields, ReleaseSignature } from "./firmware/release.ts"
export { formatReleaseFile, parseReleaseFile } from "./firmware/releaseFile.ts"
export { productId, productName } from "./firmware/product.ts"
