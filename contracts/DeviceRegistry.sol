// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Governed} from "./Governed.sol";
import {Succession} from "./Succession.sol";
import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {CredentialKind} from "./interfaces/IDeviceRegistry.sol";
import {FLAG_BY_KEY} from "./interfaces/IDeviceRegistry.sol";
import {FLAG_RAW_PUBLIC_KEYS} from "./interfaces/IDeviceRegistry.sol";
import {Mark} from "./interfaces/IDeviceRegistry.sol";
import {Status} from "./interfaces/IDeviceRegistry.sol";
import {IManufacturerRegistry} from "./interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "./interfaces/IManufacturerRegistry.sol";
import {ManufacturerStatus} from "./interfaces/IManufacturerRegistry.sol";
import {RIGHT_REVOKE} from "./interfaces/IManufacturerRegistry.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {P256Signature} from "./libraries/P256Signature.sol";
import {RawPublicKey} from "./libraries/RawPublicKey.sol";
import {Statement} from "./libraries/Statement.sol";
import {StatusBitmap} from "./libraries/StatusBitmap.sol";

/// @title What was issued, and whether it still counts. See {IDeviceRegistry}.
contract DeviceRegistry is IDeviceRegistry, Succession, EIP712 {
    /// @inheritdoc IDeviceRegistry
    uint256 public constant MAX_LIST = 512;
    /// @dev Series from here on need the issuer key's signature.
    uint32 private constant RESERVED_SERIES = 1 << 31;
    uint8 private constant REASON_CA_COMPROMISE = 2;
    uint8 private constant REASON_CERTIFICATE_HOLD = 6;

    bytes32 private constant BATCH_REGISTRATION_TYPEHASH = keccak256(
        "BatchRegistration(uint32 manufacturerId,uint32 series,bytes32 root,uint32 size,bytes32 keyId,uint40 notAfter,uint8 kind)"
    );
    bytes32 private constant SELF_REVOCATION_TYPEHASH = keccak256(
        "SelfRevocation(uint32 manufacturerId,bytes32 credentialHash,uint8 reason)"
    );

    /// @dev One slot.
    struct BatchMeta {
        uint32 size;
        uint32 keyIndex;
        uint40 registeredAt;
        uint40 notAfter;
        Mark mark;
        uint8 flags;
        uint32 revokedCount;
        uint40 changedAt;
        uint8 reason;
    }

    struct StoredBatch {
        bytes32 root;
        BatchMeta meta;
        mapping(uint256 word => uint256 bits) revoked;
    }

    /// @inheritdoc IDeviceRegistry
    IManufacturerRegistry public immutable manufacturers;

    mapping(uint32 manufacturerId => mapping(uint32 series => StoredBatch batch)) private _batches;
    mapping(uint32 manufacturerId => mapping(bytes32 subject => Record record)) private _records;

    constructor(
        IManufacturerRegistry manufacturers_,
        address authority_
    ) Governed(authority_) EIP712("Fleetroot DeviceRegistry", "1") {
        manufacturers = manufacturers_;
    }

    // ------------------------------------------------------------------------------------------------------- registration

    /// @inheritdoc IDeviceRegistry
    function registerBatch(uint32 manufacturerId, BatchInput calldata input) external {
        if (input.series >= RESERVED_SERIES) revert SeriesInvalid(input.series);
        manufacturers.requireRegistration(manufacturerId, msg.sender, input.keyIndex, KeyPurpose.Issuer);

        StoredBatch storage stored = _batches[manufacturerId][input.series];
        if (stored.meta.size != 0) revert SeriesUsed(manufacturerId, input.series);
        _registerBatch(stored, manufacturerId, input, 0);
    }

    /// @inheritdoc IDeviceRegistry
    function registerBatchFor(
        uint32 manufacturerId,
        BatchInput calldata input,
        CredentialKind kind,
        bytes32 r,
        bytes32 s
    ) external {
        uint8 flags = FLAG_BY_KEY | (kind == CredentialKind.RawPublicKey ? FLAG_RAW_PUBLIC_KEYS : 0);
        StoredBatch storage stored = _batches[manufacturerId][input.series];
        BatchMeta memory known = stored.meta;
        if (known.size != 0) {
            if (
                stored.root == input.root &&
                known.size == input.size &&
                known.keyIndex == input.keyIndex &&
                known.notAfter == input.notAfter &&
                known.flags == flags
            ) return;
            revert SeriesUsed(manufacturerId, input.series);
        }

        (bytes32 keyId, bytes32 x, bytes32 y) = manufacturers.signingKey(
            manufacturerId,
            input.keyIndex,
            KeyPurpose.Issuer
        );
        bytes32 statement = keccak256(
            abi.encode(
                BATCH_REGISTRATION_TYPEHASH,
                manufacturerId,
                input.series,
                input.root,
                input.size,
                keyId,
                input.notAfter,
                kind
            )
        );
        if (!P256Signature.verify(Statement.digest(_domainSeparatorV4(), statement), r, s, x, y)) {
            revert SignatureInvalid(keyId);
        }
        _registerBatch(stored, manufacturerId, input, flags);
    }

    /// @inheritdoc IDeviceRegistry
    function registerCredentials(
        uint32 manufacturerId,
        uint32 keyIndex,
        bytes32[] calldata credentialHashes,
        uint40[] calldata notAfters
    ) external {
        _requireListLength(credentialHashes.length, notAfters.length);
        _requireNotMoved();
        manufacturers.requireRegistration(manufacturerId, msg.sender, keyIndex, KeyPurpose.OpenIssuer);

        OpenLog memory log = _openLog(manufacturerId);
        for (uint256 i = 0; i < credentialHashes.length; ++i) {
            uint40 notAfter = notAfters[i];
            if (notAfter != 0 && notAfter < block.timestamp) revert NotAfterPast(notAfter);
            _registerCredential(log, credentialHashes[i], keyIndex, notAfter);
        }
        _closeLog(log);
    }

    /// @inheritdoc IDeviceRegistry
    function registerIssued(
        uint32 manufacturerId,
        uint32 keyIndex,
        bytes32 credentialHash,
        bytes32 r,
        bytes32 s
    ) external {
        Record storage known = _records[manufacturerId][credentialHash];
        if (known.registeredAt != 0 && known.keyIndex == keyIndex) return;

        _requireNotMoved();
        (bytes32 keyId, bytes32 x, bytes32 y) = manufacturers.signingKey(
            manufacturerId,
            keyIndex,
            KeyPurpose.OpenIssuer
        );
        if (!P256Signature.verify(credentialHash, r, s, x, y)) revert SignatureInvalid(keyId);

        OpenLog memory log = _openLog(manufacturerId);
        _registerCredential(log, credentialHash, keyIndex, 0);
        _closeLog(log);
    }

    // --------------------------------------------------------------------------------------------------------- revocation

    /// @inheritdoc IDeviceRegistry
    function revoke(uint32 manufacturerId, Target[] calldata targets, uint8 reason, uint40 invalidityDate) external {
        _requireListLength(targets.length, targets.length);
        _requireReason(reason);
        if (invalidityDate > block.timestamp) revert InvalidityDateInvalid(invalidityDate);
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_REVOKE);

        OpenLog memory log = _openLog(manufacturerId);
        for (uint256 i = 0; i < targets.length; ++i) {
            Target calldata target = targets[i];
            _revokeSubject(log, target.subject, target.series, target.index, reason, invalidityDate);
        }
        _closeLog(log);
    }

    /// @inheritdoc IDeviceRegistry
    function hold(uint32 manufacturerId, Target[] calldata targets) external {
        _requireListLength(targets.length, targets.length);
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_REVOKE);

        OpenLog memory log = _openLog(manufacturerId);
        for (uint256 i = 0; i < targets.length; ++i) {
            Target calldata target = targets[i];
            if (target.subject == 0) revert SubjectZero();
            Record storage stored = _records[manufacturerId][target.subject];
            // Else a device that revokes itself just before could make the whole list fail.
            if (stored.mark == Mark.Revoked) continue;
            if (stored.mark != Mark.None) {
                revert SubjectAlreadyMarked(manufacturerId, target.subject, stored.mark, stored.changedAt);
            }

            stored.changedAt = uint40(block.timestamp);
            stored.mark = Mark.Held;
            stored.reason = REASON_CERTIFICATE_HOLD;

            emit SubjectHeld(
                manufacturerId,
                log.sequence,
                uint64(block.timestamp),
                target.subject,
                target.series,
                target.index
            );
            _chainTarget(log, SubjectHeld.selector, target);
        }
        _closeLog(log);
    }

    /// @inheritdoc IDeviceRegistry
    function unhold(uint32 manufacturerId, Target[] calldata targets, uint40[] calldata heldSince) external {
        _requireListLength(targets.length, heldSince.length);
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_REVOKE);

        OpenLog memory log = _openLog(manufacturerId);
        for (uint256 i = 0; i < targets.length; ++i) {
            Target calldata target = targets[i];
            Record storage stored = _records[manufacturerId][target.subject];
            if (stored.mark != Mark.Held || stored.changedAt != heldSince[i]) {
                revert SubjectNotHeld(manufacturerId, target.subject, heldSince[i]);
            }

            stored.changedAt = uint40(block.timestamp);
            stored.mark = Mark.None;
            stored.reason = 0;

            emit SubjectReleased(
                manufacturerId,
                log.sequence,
                uint64(block.timestamp),
                target.subject,
                target.series,
                target.index
            );
            _chainTarget(log, SubjectReleased.selector, target);
        }
        _closeLog(log);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeWords(
        uint32 manufacturerId,
        uint32 series,
        uint32[] calldata wordIndices,
        uint256[] calldata masks,
        uint8 reason
    ) external {
        _requireListLength(wordIndices.length, masks.length);
        _requireReason(reason);
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_REVOKE);
        (StoredBatch storage stored, uint256 size) = _knownBatch(manufacturerId, series);

        uint256 revokedNow = 0;
        OpenLog memory log = _openLog(manufacturerId);
        for (uint256 i = 0; i < wordIndices.length; ++i) {
            revokedNow += _revokeWord(log, stored, series, size, wordIndices[i], masks[i], reason);
        }
        stored.meta.revokedCount += uint32(revokedNow);
        _closeLog(log);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeBatch(uint32 manufacturerId, uint32 series, uint8 reason) external {
        _requireReason(reason);
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_REVOKE);
        (StoredBatch storage stored, ) = _knownBatch(manufacturerId, series);
        if (stored.meta.mark == Mark.Revoked) {
            revert BatchAlreadyMarked(manufacturerId, series, stored.meta.mark, stored.meta.changedAt);
        }

        _markBatch(stored, Mark.Revoked, reason);

        OpenLog memory log = _openLog(manufacturerId);
        emit BatchRevoked(manufacturerId, log.sequence, uint64(block.timestamp), series, reason);
        _chain(
            log,
            keccak256(abi.encode(BatchRevoked.selector, manufacturerId, log.sequence, block.timestamp, series, reason))
        );
        _closeLog(log);
    }

    /// @inheritdoc IDeviceRegistry
    function holdBatch(uint32 manufacturerId, uint32 series) external {
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_REVOKE);
        (StoredBatch storage stored, ) = _knownBatch(manufacturerId, series);
        if (stored.meta.mark != Mark.None) {
            revert BatchAlreadyMarked(manufacturerId, series, stored.meta.mark, stored.meta.changedAt);
        }

        _markBatch(stored, Mark.Held, REASON_CERTIFICATE_HOLD);

        OpenLog memory log = _openLog(manufacturerId);
        emit BatchHeld(manufacturerId, log.sequence, uint64(block.timestamp), series);
        _chainSeries(log, BatchHeld.selector, series);
    }

    /// @inheritdoc IDeviceRegistry
    function unholdBatch(uint32 manufacturerId, uint32 series, uint40 heldSince) external {
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_REVOKE);
        (StoredBatch storage stored, ) = _knownBatch(manufacturerId, series);
        if (stored.meta.mark != Mark.Held || stored.meta.changedAt != heldSince) {
            revert BatchNotHeld(manufacturerId, series, heldSince);
        }

        _markBatch(stored, Mark.None, 0);

        OpenLog memory log = _openLog(manufacturerId);
        emit BatchReleased(manufacturerId, log.sequence, uint64(block.timestamp), series);
        _chainSeries(log, BatchReleased.selector, series);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeSelf(
        uint32 manufacturerId,
        bytes calldata payload,
        uint32 series,
        uint32 index,
        bytes32[] calldata proof,
        uint8 reason,
        bytes32 r,
        bytes32 s
    ) external {
        _requireReason(reason);
        bytes32 credentialHash = sha256(payload);
        _requireIssued(manufacturerId, series, index, credentialHash, proof);

        (bytes32 keyId, bytes32 x, bytes32 y) = RawPublicKey.read(payload);
        bytes32 statement = keccak256(abi.encode(SELF_REVOCATION_TYPEHASH, manufacturerId, credentialHash, reason));
        if (!P256Signature.verify(Statement.digest(_domainSeparatorV4(), statement), r, s, x, y)) {
            revert SignatureInvalid(keyId);
        }

        OpenLog memory log = _openLog(manufacturerId);
        _revokeSubject(log, credentialHash, series, index, reason, 0);
        _closeLog(log);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IDeviceRegistry
    function batch(uint32 manufacturerId, uint32 series) external view returns (Batch memory) {
        StoredBatch storage stored = _batches[manufacturerId][series];
        BatchMeta memory meta = stored.meta;
        return
            Batch({
                root: stored.root,
                size: meta.size,
                keyIndex: meta.keyIndex,
                registeredAt: meta.registeredAt,
                notAfter: meta.notAfter,
                mark: meta.mark,
                flags: meta.flags,
                revokedCount: meta.revokedCount,
                changedAt: meta.changedAt,
                reason: meta.reason
            });
    }

    /// @inheritdoc IDeviceRegistry
    function record(uint32 manufacturerId, bytes32 subject) external view returns (Record memory) {
        return _records[manufacturerId][subject];
    }

    /// @inheritdoc IDeviceRegistry
    function words(
        uint32 manufacturerId,
        uint32 series,
        uint256 firstWord,
        uint256 count
    ) external view returns (uint256[] memory bits) {
        StoredBatch storage stored = _batches[manufacturerId][series];
        bits = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) bits[i] = stored.revoked[firstWord + i];
    }

    /// @inheritdoc IDeviceRegistry
    function statusOf(
        uint32 manufacturerId,
        uint32 series,
        uint256 index,
        bytes32 credentialHash,
        bytes32 deviceKeyId,
        bytes32[] calldata proof
    ) external view returns (Verdict memory) {
        StoredBatch storage stored = _batches[manufacturerId][series];
        BatchMeta storage meta = stored.meta;
        // One read of one slot.
        (uint256 size, uint32 keyIndex, uint40 registeredAt, uint40 notAfter, Mark mark) = (
            meta.size,
            meta.keyIndex,
            meta.registeredAt,
            meta.notAfter,
            meta.mark
        );
        // A series without a batch has size 0: nothing is included in it.
        if (!MerkleTree.verify(MerkleTree.leafHash(credentialHash), index, size, proof, stored.root)) {
            return Verdict(Status.Unknown, 0, 0);
        }
        (ManufacturerStatus status, uint40 statusSince, uint40 retiredAt, uint40 compromisedSince) = manufacturers
            .keyStanding(manufacturerId, keyIndex);

        // Revoked for ever: by the issuer key's compromise, the batch, the place, the credential, its key.
        if (_isAtOrAfter(registeredAt, compromisedSince)) {
            return Verdict(Status.Revoked, REASON_CA_COMPROMISE, compromisedSince);
        }
        if (mark == Mark.Revoked) return Verdict(Status.Revoked, meta.reason, meta.changedAt);
        Verdict memory marked = _markOf(manufacturerId, credentialHash, deviceKeyId);
        if (marked.status == Status.Revoked) return marked;
        (uint256 word, uint256 mask) = StatusBitmap.locate(index);
        // A bit has neither reason nor time of its own: the events have them.
        if (stored.revoked[word] & mask != 0) return Verdict(Status.Revoked, 0, 0);

        // On hold.
        if (marked.status == Status.OnHold) return marked;
        if (mark == Mark.Held) return Verdict(Status.OnHold, REASON_CERTIFICATE_HOLD, meta.changedAt);

        return _standingVerdict(status, statusSince, retiredAt, registeredAt, notAfter);
    }

    /// @inheritdoc IDeviceRegistry
    function statusOfRecord(
        uint32 manufacturerId,
        bytes32 credentialHash,
        bytes32 deviceKeyId
    ) external view returns (Verdict memory) {
        Record storage stored = _records[manufacturerId][credentialHash];
        Verdict memory marked = _markOf(manufacturerId, credentialHash, deviceKeyId);
        if (marked.status == Status.Revoked) return marked;
        uint40 registeredAt = stored.registeredAt;
        if (registeredAt == 0) return Verdict(Status.Unknown, 0, 0);

        (ManufacturerStatus status, uint40 statusSince, uint40 retiredAt, uint40 compromisedSince) = manufacturers
            .keyStanding(manufacturerId, stored.keyIndex);
        if (_isAtOrAfter(registeredAt, compromisedSince)) {
            return Verdict(Status.Revoked, REASON_CA_COMPROMISE, compromisedSince);
        }
        if (marked.status == Status.OnHold) return marked;
        return _standingVerdict(status, statusSince, retiredAt, registeredAt, stored.notAfter);
    }

    // ------------------------------------------------------------------------------------------------------------ writing

    function _registerBatch(
        StoredBatch storage stored,
        uint32 manufacturerId,
        BatchInput calldata input,
        uint8 flags
    ) private {
        _requireNotMoved();
        if (input.series == 0) revert SeriesInvalid(0);
        if (input.root == 0) revert RootZero();
        if (input.size == 0) revert BatchEmpty();
        if (input.notAfter < block.timestamp) revert NotAfterPast(input.notAfter);

        stored.root = input.root;
        BatchMeta storage meta = stored.meta;
        meta.size = input.size;
        meta.keyIndex = input.keyIndex;
        meta.registeredAt = uint40(block.timestamp);
        meta.notAfter = input.notAfter;
        meta.flags = flags;

        OpenLog memory log = _openLog(manufacturerId);
        emit BatchRegistered(
            manufacturerId,
            log.sequence,
            uint64(block.timestamp),
            input.series,
            input.root,
            input.size,
            input.keyIndex,
            input.notAfter,
            flags
        );
        _chain(
            log,
            keccak256(
                abi.encode(
                    BatchRegistered.selector,
                    manufacturerId,
                    log.sequence,
                    block.timestamp,
                    input.series,
                    input.root,
                    input.size,
                    input.keyIndex,
                    input.notAfter,
                    flags
                )
            )
        );
        _closeLog(log);
    }

    /// @dev Does nothing to a credential that the same key registered before: else anybody who holds one certificate of a list
    /// could make the list fail by registering that one first.
    function _registerCredential(OpenLog memory log, bytes32 credentialHash, uint32 keyIndex, uint40 notAfter) private {
        if (credentialHash == 0) revert SubjectZero();
        Record storage stored = _records[log.manufacturerId][credentialHash];
        if (stored.registeredAt != 0) {
            if (stored.keyIndex == keyIndex) return;
            revert CredentialAlreadyRegistered(log.manufacturerId, credentialHash, stored.keyIndex);
        }
        if (stored.mark != Mark.None) {
            revert SubjectAlreadyMarked(log.manufacturerId, credentialHash, stored.mark, stored.changedAt);
        }

        stored.registeredAt = uint40(block.timestamp);
        stored.notAfter = notAfter;
        stored.keyIndex = keyIndex;

        emit CredentialRegistered(
            log.manufacturerId,
            log.sequence,
            uint64(block.timestamp),
            credentialHash,
            keyIndex,
            notAfter
        );
        _chain(
            log,
            keccak256(
                abi.encode(
                    CredentialRegistered.selector,
                    log.manufacturerId,
                    log.sequence,
                    block.timestamp,
                    credentialHash,
                    keyIndex,
                    notAfter
                )
            )
        );
    }

    /// @dev Does nothing to a subject that is revoked: the first reason and time stand.
    function _revokeSubject(
        OpenLog memory log,
        bytes32 subject,
        uint32 series,
        uint32 index,
        uint8 reason,
        uint40 invalidityDate
    ) private {
        if (subject == 0) revert SubjectZero();
        Record storage stored = _records[log.manufacturerId][subject];
        if (stored.mark == Mark.Revoked) return;

        stored.changedAt = uint40(block.timestamp);
        stored.invalidityDate = invalidityDate;
        stored.mark = Mark.Revoked;
        stored.reason = reason;

        emit SubjectRevoked(
            log.manufacturerId,
            log.sequence,
            uint64(block.timestamp),
            subject,
            series,
            index,
            reason,
            invalidityDate
        );
        _chain(
            log,
            keccak256(
                abi.encode(
                    SubjectRevoked.selector,
                    log.manufacturerId,
                    log.sequence,
                    block.timestamp,
                    subject,
                    series,
                    index,
                    reason,
                    invalidityDate
                )
            )
        );
    }

    /// @return revokedNow How many bits were clear before.
    function _revokeWord(
        OpenLog memory log,
        StoredBatch storage stored,
        uint32 series,
        uint256 size,
        uint32 word,
        uint256 mask,
        uint8 reason
    ) private returns (uint256 revokedNow) {
        if (mask == 0) revert MaskEmpty(word);
        if (mask & ~StatusBitmap.validBits(word, size) != 0) {
            revert BatchIndexOutOfRange((uint256(word) << 8) + StatusBitmap.highest(mask), size);
        }
        uint256 before = stored.revoked[word];
        uint256 bits = mask & ~before;
        if (bits == 0) return 0;

        stored.revoked[word] = before | bits;

        emit WordRevoked(log.manufacturerId, log.sequence, uint64(block.timestamp), series, word, bits, reason);
        _chain(
            log,
            keccak256(
                abi.encode(
                    WordRevoked.selector,
                    log.manufacturerId,
                    log.sequence,
                    block.timestamp,
                    series,
                    word,
                    bits,
                    reason
                )
            )
        );
        return StatusBitmap.count(bits);
    }

    function _markBatch(StoredBatch storage stored, Mark mark, uint8 reason) private {
        BatchMeta storage meta = stored.meta;
        meta.mark = mark;
        meta.changedAt = uint40(block.timestamp);
        meta.reason = reason;
    }

    function _chainTarget(OpenLog memory log, bytes32 selector, Target calldata target) private view {
        _chain(
            log,
            keccak256(
                abi.encode(
                    selector,
                    log.manufacturerId,
                    log.sequence,
                    block.timestamp,
                    target.subject,
                    target.series,
                    target.index
                )
            )
        );
    }

    function _chainSeries(OpenLog memory log, bytes32 selector, uint32 series) private {
        _chain(log, keccak256(abi.encode(selector, log.manufacturerId, log.sequence, block.timestamp, series)));
        _closeLog(log);
    }

    // ------------------------------------------------------------------------------------------------------------- checks

    function _requireListLength(uint256 length, uint256 partner) private pure {
        if (length == 0 || length > MAX_LIST || length != partner) revert ListLengthInvalid(length, MAX_LIST);
    }

    /// @dev RFC 5280, 5.3.1: 7 is not used, 6 is a hold, 8 takes entries off a delta CRL.
    function _requireReason(uint8 reason) private pure {
        if (reason > 10 || (reason >= 6 && reason <= 8)) revert ReasonInvalid(reason);
    }

    function _knownBatch(
        uint32 manufacturerId,
        uint32 series
    ) private view returns (StoredBatch storage stored, uint256 size) {
        stored = _batches[manufacturerId][series];
        size = stored.meta.size;
        if (size == 0) revert BatchUnknown(manufacturerId, series);
    }

    function _requireIssued(
        uint32 manufacturerId,
        uint32 series,
        uint32 index,
        bytes32 credentialHash,
        bytes32[] calldata proof
    ) private view {
        if (series == 0) {
            if (_records[manufacturerId][credentialHash].registeredAt != 0) return;
        } else {
            StoredBatch storage stored = _batches[manufacturerId][series];
            bytes32 leaf = MerkleTree.leafHash(credentialHash);
            if (
                stored.meta.flags & FLAG_RAW_PUBLIC_KEYS != 0 &&
                MerkleTree.verify(leaf, index, stored.meta.size, proof, stored.root)
            ) return;
        }
        revert CredentialUnproven(manufacturerId, credentialHash);
    }

    // ------------------------------------------------------------------------------------------------------------ reading

    /// @dev In the same second counts as after: what was registered in the second of a compromise, a retirement or a departure is
    /// not good. `moment` 0: it never came.
    function _isAtOrAfter(uint40 registeredAt, uint40 moment) private pure returns (bool) {
        return moment != 0 && registeredAt >= moment;
    }

    /// @return `Revoked` if either subject is, else `OnHold` if either is, else `Unknown`.
    function _markOf(
        uint32 manufacturerId,
        bytes32 credentialHash,
        bytes32 deviceKeyId
    ) private view returns (Verdict memory) {
        Record storage ofCredential = _records[manufacturerId][credentialHash];
        Record storage ofKey = _records[manufacturerId][deviceKeyId];
        Mark credentialMark = ofCredential.mark;
        Mark keyMark = ofKey.mark;
        if (credentialMark == Mark.Revoked) {
            return Verdict(Status.Revoked, ofCredential.reason, ofCredential.changedAt);
        }
        if (keyMark == Mark.Revoked) return Verdict(Status.Revoked, ofKey.reason, ofKey.changedAt);
        if (credentialMark == Mark.Held) {
            return Verdict(Status.OnHold, REASON_CERTIFICATE_HOLD, ofCredential.changedAt);
        }
        if (keyMark == Mark.Held) return Verdict(Status.OnHold, REASON_CERTIFICATE_HOLD, ofKey.changedAt);
        return Verdict(Status.Unknown, 0, 0);
    }

    /// @dev What is left once nothing is marked: the manufacturer, the key's retirement, the end.
    function _standingVerdict(
        ManufacturerStatus status,
        uint40 statusSince,
        uint40 retiredAt,
        uint40 registeredAt,
        uint40 notAfter
    ) private view returns (Verdict memory) {
        if (status == ManufacturerStatus.Suspended) {
            return Verdict(Status.OnHold, REASON_CERTIFICATE_HOLD, statusSince);
        }
        bool mayVouch =
            status == ManufacturerStatus.Active ||
                (status == ManufacturerStatus.Left && !_isAtOrAfter(registeredAt, statusSince));
        if (!mayVouch || _isAtOrAfter(registeredAt, retiredAt)) return Verdict(Status.Unknown, 0, 0);
        if (notAfter != 0 && block.timestamp > notAfter) return Verdict(Status.Expired, 0, notAfter);
        return Verdict(Status.Good, 0, registeredAt);
    }
}
