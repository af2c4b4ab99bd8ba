// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {Governed} from "./Governed.sol";
import {HashChainedLog} from "./HashChainedLog.sol";
import {IManufacturerRegistry} from "./interfaces/IManufacturerRegistry.sol";
import {ManufacturerStatus} from "./interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "./interfaces/IManufacturerRegistry.sol";
import {RIGHT_REGISTER} from "./interfaces/IManufacturerRegistry.sol";
import {RIGHTS_ALL} from "./interfaces/IManufacturerRegistry.sol";
import {P256Signature} from "./libraries/P256Signature.sol";
import {Statement} from "./libraries/Statement.sol";
import {SubjectPublicKeyInfo} from "./libraries/SubjectPublicKeyInfo.sol";
import {TestChains} from "./libraries/TestChains.sol";

/// @title Who may vouch for devices. See {IManufacturerRegistry}.
contract ManufacturerRegistry is IManufacturerRegistry, HashChainedLog, Governed, EIP712 {
    uint40 private constant SUSPENSION_LAPSE = 14 days;
    uint40 private constant REPLACEMENT_DELAY = 30 days;
    uint32 private constant MAX_KEYS = 4_096;
    uint256 private constant MAX_NAME = 64;
    uint256 private constant MAX_URI = 256;
    uint256 private constant MAX_SPKI = 1_024;
    uint256 private constant MAX_PROOF = 1_024;

    bytes32 private constant KEY_POSSESSION_TYPEHASH = keccak256(
        "KeyPossession(uint32 manufacturerId,bytes32 keyId,uint8 purpose)"
    );

    /// @dev What every authorisation reads: one slot.
    struct Core {
        address controller;
        ManufacturerStatus status;
        uint40 statusSince;
        uint40 suspendedUntil;
        /// How often the controller was replaced; operators named in an earlier epoch have no rights.
        uint8 epoch;
    }

    struct Profile {
        uint32 keyCount;
        address pendingController;
        address proposedController;
        uint40 replacementAt;
        string name;
        string metadataURI;
    }

    struct OperatorGrant {
        uint8 rights;
        uint8 epoch;
        uint40 until;
    }

    /// @dev What every status reads: one slot.
    struct KeyMeta {
        KeyPurpose purpose;
        bool proven;
        uint40 registeredAt;
        uint40 notBefore;
        uint40 notAfter;
        uint40 revokedAt;
        uint40 compromisedSince;
    }

    struct StoredKey {
        KeyMeta meta;
        bytes32 keyId;
        bytes32 x;
        bytes32 y;
    }

    struct KeyRef {
        uint32 manufacturerId;
        uint32 keyIndex;
    }

    /// @inheritdoc IManufacturerRegistry
    uint40 public immutable keyDelay;

    /// @inheritdoc IManufacturerRegistry
    uint32 public lastManufacturerId;

    mapping(uint32 manufacturerId => Core core) private _cores;
    mapping(uint32 manufacturerId => Profile profile) private _profiles;
    mapping(uint32 manufacturerId => mapping(address account => OperatorGrant grant)) private _operators;
    mapping(uint32 manufacturerId => mapping(uint32 keyIndex => StoredKey key)) private _keys;
    mapping(bytes32 keyId => KeyRef owner) private _provenKeys;
    mapping(uint32 manufacturerId => mapping(bytes32 keyId => uint32 keyIndex)) private _claimedKeys;

    /// @param firstId The first manufacturer's id: 1, or above all ids of the deployments that this one succeeds.
    constructor(
        address authority_,
        uint40 keyDelay_,
        uint32 firstId
    ) Governed(authority_) EIP712("Fleetroot ManufacturerRegistry", "1") {
        if (firstId == 0 || (keyDelay_ == 0 && !TestChains.isTestChain())) revert DeploymentInvalid();
        keyDelay = keyDelay_;
        lastManufacturerId = firstId - 1;
    }

    // --------------------------------------------------------------------------------------------------------- governance

    /// @inheritdoc IManufacturerRegistry
    function admit(
        address controller,
        string calldata name,
        string calldata metadataURI
    ) external restricted returns (uint32 manufacturerId) {
        if (controller == address(0)) revert AddressZero();
        _requireLength(bytes(name).length, 1, MAX_NAME);
        _requireLength(bytes(metadataURI).length, 0, MAX_URI);

        manufacturerId = ++lastManufacturerId;
        _cores[manufacturerId] = Core({
            controller: controller,
            status: ManufacturerStatus.Active,
            statusSince: uint40(block.timestamp),
            suspendedUntil: 0,
            epoch: 0
        });
        _profiles[manufacturerId].name = name;
        _profiles[manufacturerId].metadataURI = metadataURI;

        OpenLog memory log = _openLog(manufacturerId);
        emit ManufacturerAdmitted(manufacturerId, log.sequence, uint64(block.timestamp), controller, name, metadataURI);
        _chain(
            log,
            keccak256(
                abi.encode(
                    ManufacturerAdmitted.selector,
                    manufacturerId,
                    log.sequence,
                    block.timestamp,
                    controller,
                    name,
                    metadataURI
                )
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IManufacturerRegistry
    function suspend(uint32 manufacturerId) external restricted {
        _requireStatus(manufacturerId, ManufacturerStatus.Active);
        Core storage core = _cores[manufacturerId];

        core.status = ManufacturerStatus.Suspended;
        core.statusSince = uint40(block.timestamp);
        core.suspendedUntil = uint40(block.timestamp) + SUSPENSION_LAPSE;

        OpenLog memory log = _openLog(manufacturerId);
        emit ManufacturerSuspended(manufacturerId, log.sequence, uint64(block.timestamp), core.suspendedUntil);
        _logWord(log, ManufacturerSuspended.selector, bytes32(uint256(core.suspendedUntil)));
    }

    /// @inheritdoc IManufacturerRegistry
    function confirmSuspension(uint32 manufacturerId) external restricted {
        _requireStatus(manufacturerId, ManufacturerStatus.Suspended);

        _cores[manufacturerId].suspendedUntil = 0;

        OpenLog memory log = _openLog(manufacturerId);
        emit SuspensionConfirmed(manufacturerId, log.sequence, uint64(block.timestamp));
        _logBare(log, SuspensionConfirmed.selector);
    }

    /// @inheritdoc IManufacturerRegistry
    function resume(uint32 manufacturerId) external restricted {
        _requireStatus(manufacturerId, ManufacturerStatus.Suspended);
        Core storage core = _cores[manufacturerId];

        core.status = ManufacturerStatus.Active;
        core.statusSince = uint40(block.timestamp);
        core.suspendedUntil = 0;

        OpenLog memory log = _openLog(manufacturerId);
        emit ManufacturerResumed(manufacturerId, log.sequence, uint64(block.timestamp));
        _logBare(log, ManufacturerResumed.selector);
    }

    /// @inheritdoc IManufacturerRegistry
    function declareCompromiseFor(uint32 manufacturerId, uint32 keyIndex, uint40 since) external restricted {
        ManufacturerStatus status = _statusOf(manufacturerId);
        if (status != ManufacturerStatus.Suspended && status != ManufacturerStatus.Left) {
            revert ManufacturerStatusWrong(manufacturerId, status);
        }
        _declareCompromise(manufacturerId, keyIndex, since);
    }

    /// @inheritdoc IManufacturerRegistry
    function proposeController(uint32 manufacturerId, address controller) external restricted {
        _requireKnown(manufacturerId);
        if (controller == address(0)) revert AddressZero();
        Profile storage profile = _profiles[manufacturerId];

        profile.proposedController = controller;
        profile.replacementAt = uint40(block.timestamp) + REPLACEMENT_DELAY;

        OpenLog memory log = _openLog(manufacturerId);
        emit ControllerReplacementProposed(
            manufacturerId,
            log.sequence,
            uint64(block.timestamp),
            controller,
            profile.replacementAt
        );
        _chain(
            log,
            keccak256(
                abi.encode(
                    ControllerReplacementProposed.selector,
                    manufacturerId,
                    log.sequence,
                    block.timestamp,
                    controller,
                    profile.replacementAt
                )
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IManufacturerRegistry
    function replaceController(uint32 manufacturerId) external restricted {
        Profile storage profile = _profiles[manufacturerId];
        address controller = profile.proposedController;
        if (controller == address(0) || block.timestamp < profile.replacementAt) {
            revert ReplacementNotDue(manufacturerId, profile.replacementAt);
        }
        Core storage core = _cores[manufacturerId];
        if (core.epoch == type(uint8).max) revert ReplacementsExhausted(manufacturerId);

        core.controller = controller;
        ++core.epoch;
        delete profile.proposedController;
        delete profile.replacementAt;
        delete profile.pendingController;

        OpenLog memory log = _openLog(manufacturerId);
        emit ControllerReplaced(manufacturerId, log.sequence, uint64(block.timestamp), controller);
        _logWord(log, ControllerReplaced.selector, bytes32(uint256(uint160(controller))));
    }

    // --------------------------------------------------------------------------------------------------------- controller

    /// @inheritdoc IManufacturerRegistry
    function vetoReplacement(uint32 manufacturerId) external {
        _requireController(manufacturerId);
        ManufacturerStatus status = _statusOf(manufacturerId);
        if (status == ManufacturerStatus.Suspended) revert ManufacturerStatusWrong(manufacturerId, status);
        Profile storage profile = _profiles[manufacturerId];
        if (profile.proposedController == address(0)) revert ReplacementNotDue(manufacturerId, 0);

        delete profile.proposedController;
        delete profile.replacementAt;

        OpenLog memory log = _openLog(manufacturerId);
        emit ControllerReplacementVetoed(manufacturerId, log.sequence, uint64(block.timestamp));
        _logBare(log, ControllerReplacementVetoed.selector);
    }

    /// @inheritdoc IManufacturerRegistry
    function transferController(uint32 manufacturerId, address pendingController) external {
        _requireController(manufacturerId);

        _profiles[manufacturerId].pendingController = pendingController;

        OpenLog memory log = _openLog(manufacturerId);
        emit ControllerTransferStarted(manufacturerId, log.sequence, uint64(block.timestamp), pendingController);
        _logWord(log, ControllerTransferStarted.selector, bytes32(uint256(uint160(pendingController))));
    }

    /// @inheritdoc IManufacturerRegistry
    function acceptController(uint32 manufacturerId) external {
        Profile storage profile = _profiles[manufacturerId];
        if (msg.sender != profile.pendingController) revert ControllerUnauthorized(manufacturerId, msg.sender);

        delete profile.pendingController;
        _cores[manufacturerId].controller = msg.sender;

        OpenLog memory log = _openLog(manufacturerId);
        emit ControllerTransferred(manufacturerId, log.sequence, uint64(block.timestamp), msg.sender);
        _logWord(log, ControllerTransferred.selector, bytes32(uint256(uint160(msg.sender))));
    }

    /// @inheritdoc IManufacturerRegistry
    function resign(uint32 manufacturerId) external {
        _requireController(manufacturerId);
        // A suspended manufacturer that left would have its devices good again.
        _requireStatus(manufacturerId, ManufacturerStatus.Active);
        Core storage core = _cores[manufacturerId];

        core.status = ManufacturerStatus.Left;
        core.statusSince = uint40(block.timestamp);
        core.suspendedUntil = 0;

        OpenLog memory log = _openLog(manufacturerId);
        emit ManufacturerLeft(manufacturerId, log.sequence, uint64(block.timestamp));
        _logBare(log, ManufacturerLeft.selector);
    }

    /// @inheritdoc IManufacturerRegistry
    function setMetadataURI(uint32 manufacturerId, string calldata metadataURI) external {
        _requireController(manufacturerId);
        _requireLength(bytes(metadataURI).length, 0, MAX_URI);

        _profiles[manufacturerId].metadataURI = metadataURI;

        OpenLog memory log = _openLog(manufacturerId);
        emit MetadataURIChanged(manufacturerId, log.sequence, uint64(block.timestamp), metadataURI);
        _chain(
            log,
            keccak256(
                abi.encode(MetadataURIChanged.selector, manufacturerId, log.sequence, block.timestamp, metadataURI)
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IManufacturerRegistry
    function setOperator(uint32 manufacturerId, address account, uint8 rights, uint40 until) external {
        _requireController(manufacturerId);
        if (account == address(0)) revert AddressZero();
        if (rights > RIGHTS_ALL || (rights != 0 && until <= block.timestamp)) revert OperatorInvalid(rights, until);

        _operators[manufacturerId][account] = OperatorGrant({
            rights: rights,
            epoch: _cores[manufacturerId].epoch,
            until: until
        });

        OpenLog memory log = _openLog(manufacturerId);
        emit OperatorSet(manufacturerId, log.sequence, uint64(block.timestamp), account, rights, until);
        _chain(
            log,
            keccak256(
                abi.encode(OperatorSet.selector, manufacturerId, log.sequence, block.timestamp, account, rights, until)
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IManufacturerRegistry
    function addKey(
        uint32 manufacturerId,
        KeyPurpose purpose,
        uint40 notBefore,
        uint40 notAfter,
        bytes calldata spki,
        bytes calldata proof
    ) external returns (uint32 keyIndex) {
        _requireController(manufacturerId);
        _requireStatus(manufacturerId, ManufacturerStatus.Active);
        if (purpose == KeyPurpose.None) revert KeyPurposeInvalid(purpose);
        _requireLength(spki.length, 1, MAX_SPKI);
        _requireLength(proof.length, 1, MAX_PROOF);

        // A key never counts for a time before the ledger knew it, and a firmware key not before others could object.
        uint40 earliest = uint40(block.timestamp) + (purpose == KeyPurpose.Firmware ? keyDelay : 0);
        if (notBefore < earliest) notBefore = earliest;
        if (notAfter <= notBefore) revert KeyValidityInvalid(notBefore, notAfter);

        bytes32 keyId = sha256(spki);
        (bool proven, bytes32 x, bytes32 y) = SubjectPublicKeyInfo.p256Point(spki);
        if (proven) {
            KeyRef storage owner = _provenKeys[keyId];
            if (owner.keyIndex != 0) revert KeyAlreadyRegistered(keyId, owner.manufacturerId, owner.keyIndex);
            _requirePossession(manufacturerId, keyId, purpose, x, y, proof);
        } else {
            if (SubjectPublicKeyInfo.claimsP256(spki)) revert KeyEncodingInvalid(spki.length);
            uint32 claimed = _claimedKeys[manufacturerId][keyId];
            if (claimed != 0) revert KeyAlreadyRegistered(keyId, manufacturerId, claimed);
        }

        keyIndex = _profiles[manufacturerId].keyCount + 1;
        if (keyIndex > MAX_KEYS) revert KeysExhausted(manufacturerId, MAX_KEYS);
        _profiles[manufacturerId].keyCount = keyIndex;
        if (proven) _provenKeys[keyId] = KeyRef({manufacturerId: manufacturerId, keyIndex: keyIndex});
        else _claimedKeys[manufacturerId][keyId] = keyIndex;
        _keys[manufacturerId][keyIndex] = StoredKey({
            meta: KeyMeta({
                purpose: purpose,
                proven: proven,
                registeredAt: uint40(block.timestamp),
                notBefore: notBefore,
                notAfter: notAfter,
                revokedAt: 0,
                compromisedSince: 0
            }),
            keyId: keyId,
            x: x,
            y: y
        });

        OpenLog memory log = _openLog(manufacturerId);
        emit KeyAdded(
            manufacturerId,
            log.sequence,
            uint64(block.timestamp),
            keyId,
            keyIndex,
            purpose,
            proven,
            notBefore,
            notAfter,
            spki,
            proof
        );
        _chain(
            log,
            keccak256(
                abi.encode(
                    KeyAdded.selector,
                    manufacturerId,
                    log.sequence,
                    block.timestamp,
                    keyId,
                    keyIndex,
                    purpose,
                    proven,
                    notBefore,
                    notAfter,
                    spki,
                    proof
                )
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IManufacturerRegistry
    function revokeKey(uint32 manufacturerId, uint32 keyIndex) external {
        _requireController(manufacturerId);
        KeyMeta storage meta = _keyMeta(manufacturerId, keyIndex);
        if (meta.revokedAt != 0) revert KeyAlreadyRevoked(manufacturerId, keyIndex, meta.revokedAt);

        meta.revokedAt = uint40(block.timestamp);

        OpenLog memory log = _openLog(manufacturerId);
        emit KeyRevoked(manufacturerId, log.sequence, uint64(block.timestamp), keyIndex);
        _logWord(log, KeyRevoked.selector, bytes32(uint256(keyIndex)));
    }

    /// @inheritdoc IManufacturerRegistry
    function declareCompromise(uint32 manufacturerId, uint32 keyIndex, uint40 since) external {
        _requireController(manufacturerId);
        _declareCompromise(manufacturerId, keyIndex, since);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IManufacturerRegistry
    function manufacturer(uint32 manufacturerId) external view returns (Manufacturer memory) {
        _requireKnown(manufacturerId);
        Core storage core = _cores[manufacturerId];
        Profile storage profile = _profiles[manufacturerId];
        (ManufacturerStatus status, uint40 since) = _effectiveStatus(core);
        return
            Manufacturer({
                controller: core.controller,
                status: status,
                statusSince: since,
                suspendedUntil: status == ManufacturerStatus.Suspended ? core.suspendedUntil : 0,
                keyCount: profile.keyCount,
                pendingController: profile.pendingController,
                proposedController: profile.proposedController,
                replacementAt: profile.replacementAt,
                name: profile.name,
                metadataURI: profile.metadataURI
            });
    }

    /// @inheritdoc IManufacturerRegistry
    function key(uint32 manufacturerId, uint32 keyIndex) external view returns (Key memory) {
        KeyMeta memory meta = _keyMeta(manufacturerId, keyIndex);
        StoredKey storage stored = _keys[manufacturerId][keyIndex];
        return
            Key({
                keyId: stored.keyId,
                purpose: meta.purpose,
                proven: meta.proven,
                registeredAt: meta.registeredAt,
                notBefore: meta.notBefore,
                notAfter: meta.notAfter,
                revokedAt: meta.revokedAt,
                compromisedSince: meta.compromisedSince,
                x: stored.x,
                y: stored.y
            });
    }

    /// @inheritdoc IManufacturerRegistry
    function provenKey(bytes32 keyId) external view returns (uint32 manufacturerId, uint32 keyIndex) {
        KeyRef storage owner = _provenKeys[keyId];
        return (owner.manufacturerId, owner.keyIndex);
    }

    /// @inheritdoc IManufacturerRegistry
    function operator(uint32 manufacturerId, address account) external view returns (uint8 rights, uint40 until) {
        OperatorGrant storage grant = _operators[manufacturerId][account];
        if (grant.rights == 0 || !_grantCounts(grant, _cores[manufacturerId].epoch)) return (0, 0);
        return (grant.rights, grant.until);
    }

    /// @inheritdoc IManufacturerRegistry
    function keyStanding(
        uint32 manufacturerId,
        uint32 keyIndex
    ) external view returns (ManufacturerStatus status, uint40 statusSince, uint40 revokedAt, uint40 compromisedSince) {
        KeyMeta storage meta = _keyMeta(manufacturerId, keyIndex);
        (status, statusSince) = _effectiveStatus(_cores[manufacturerId]);
        return (status, statusSince, meta.revokedAt, meta.compromisedSince);
    }

    /// @inheritdoc IManufacturerRegistry
    function requireOperator(uint32 manufacturerId, address account, uint8 right) external view {
        _requireRight(manufacturerId, account, right);
    }

    /// @inheritdoc IManufacturerRegistry
    function requireRegistration(
        uint32 manufacturerId,
        address account,
        uint32 keyIndex,
        KeyPurpose purpose
    ) external view {
        _requireRight(manufacturerId, account, RIGHT_REGISTER);
        _requireStatus(manufacturerId, ManufacturerStatus.Active);
        _requireCurrent(manufacturerId, keyIndex, purpose);
    }

    /// @inheritdoc IManufacturerRegistry
    function signingKey(
        uint32 manufacturerId,
        uint32 keyIndex,
        KeyPurpose purpose
    ) external view returns (bytes32 keyId, bytes32 x, bytes32 y) {
        _requireStatus(manufacturerId, ManufacturerStatus.Active);
        StoredKey storage stored = _requireSigner(manufacturerId, keyIndex, purpose);
        return (stored.keyId, stored.x, stored.y);
    }

    /// @inheritdoc IManufacturerRegistry
    function requireSigned(
        uint32 manufacturerId,
        KeyPurpose purpose,
        bytes32 digest,
        KeySignature[] calldata signatures
    ) external view {
        _requireStatus(manufacturerId, ManufacturerStatus.Active);
        uint32 previous = 0;
        for (uint256 i = 0; i < signatures.length; ++i) {
            KeySignature calldata signature = signatures[i];
            uint32 keyIndex = signature.keyIndex;
            if (keyIndex <= previous) revert SignaturesUnordered(keyIndex, previous);
            previous = keyIndex;
            StoredKey storage stored = _requireSigner(manufacturerId, keyIndex, purpose);
            // Only points of the curve were stored for a proven key.
            if (!P256Signature.verifyByPoint(digest, signature.r, signature.s, stored.x, stored.y)) {
                revert SignatureInvalid(stored.keyId);
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------------- checks

    function _requireKnown(uint32 manufacturerId) private view {
        if (_cores[manufacturerId].status == ManufacturerStatus.None) revert ManufacturerUnknown(manufacturerId);
    }

    function _requireController(uint32 manufacturerId) private view {
        _requireKnown(manufacturerId);
        if (msg.sender != _cores[manufacturerId].controller) {
            revert ControllerUnauthorized(manufacturerId, msg.sender);
        }
    }

    function _requireStatus(uint32 manufacturerId, ManufacturerStatus wanted) private view {
        ManufacturerStatus status = _statusOf(manufacturerId);
        if (status != wanted) revert ManufacturerStatusWrong(manufacturerId, status);
    }

    function _requireRight(uint32 manufacturerId, address account, uint8 right) private view {
        Core storage core = _cores[manufacturerId];
        if (core.status == ManufacturerStatus.None) revert ManufacturerUnknown(manufacturerId);
        if (account == core.controller) return;
        OperatorGrant storage grant = _operators[manufacturerId][account];
        if (!_grantCounts(grant, core.epoch) || grant.rights & right == 0) {
            revert AccountUnauthorized(manufacturerId, account, right);
        }
    }

    function _grantCounts(OperatorGrant storage grant, uint8 epoch) private view returns (bool) {
        return grant.epoch == epoch && block.timestamp < grant.until;
    }

    /// @return stored The key.
    /// @return proven Whether the key is P-256, checked by this contract.
    function _requireCurrent(
        uint32 manufacturerId,
        uint32 keyIndex,
        KeyPurpose purpose
    ) private view returns (StoredKey storage stored, bool proven) {
        stored = _keys[manufacturerId][keyIndex];
        KeyMeta storage meta = stored.meta;
        // One read of one slot.
        (KeyPurpose found, uint40 notBefore, uint40 notAfter, uint40 revokedAt, uint40 compromisedSince) = (
            meta.purpose,
            meta.notBefore,
            meta.notAfter,
            meta.revokedAt,
            meta.compromisedSince
        );
        proven = meta.proven;
        if (found != purpose) {
            if (found == KeyPurpose.None) revert KeyUnknown(manufacturerId, keyIndex);
            revert KeyPurposeWrong(manufacturerId, keyIndex, found);
        }
        if (block.timestamp < notBefore || block.timestamp >= notAfter || revokedAt | compromisedSince != 0)
            revert KeyNotCurrent(manufacturerId, keyIndex);
    }

    function _requireSigner(
        uint32 manufacturerId,
        uint32 keyIndex,
        KeyPurpose purpose
    ) private view returns (StoredKey storage stored) {
        bool proven;
        (stored, proven) = _requireCurrent(manufacturerId, keyIndex, purpose);
        if (!proven) revert KeyAlgorithmUnsupported(manufacturerId, keyIndex);
    }

    function _requirePossession(
        uint32 manufacturerId,
        bytes32 keyId,
        KeyPurpose purpose,
        bytes32 x,
        bytes32 y,
        bytes calldata proof
    ) private view {
        if (!P256.isValidPublicKey(x, y)) revert PublicKeyInvalid(x, y);
        bytes32 statement = keccak256(abi.encode(KEY_POSSESSION_TYPEHASH, manufacturerId, keyId, purpose));
        bytes32 digest = Statement.digest(_domainSeparatorV4(), statement);
        if (proof.length != 64 || !P256Signature.verify(digest, bytes32(proof[0:32]), bytes32(proof[32:64]), x, y)) {
            revert KeyPossessionUnproven(manufacturerId, keyId);
        }
    }

    function _requireLength(uint256 length, uint256 minimum, uint256 maximum) private pure {
        if (length < minimum || length > maximum) revert LengthOutOfRange(length, minimum, maximum);
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function _statusOf(uint32 manufacturerId) private view returns (ManufacturerStatus status) {
        (status, ) = _effectiveStatus(_cores[manufacturerId]);
        if (status == ManufacturerStatus.None) revert ManufacturerUnknown(manufacturerId);
    }

    /// @dev A suspension that nobody confirmed ends by itself.
    function _effectiveStatus(Core storage stored) private view returns (ManufacturerStatus, uint40) {
        ManufacturerStatus status = stored.status;
        if (status == ManufacturerStatus.Suspended) {
            uint40 until = stored.suspendedUntil;
            if (until != 0 && block.timestamp >= until) return (ManufacturerStatus.Active, until);
        }
        return (status, stored.statusSince);
    }

    function _keyMeta(uint32 manufacturerId, uint32 keyIndex) private view returns (KeyMeta storage meta) {
        meta = _keys[manufacturerId][keyIndex].meta;
        if (meta.registeredAt == 0) revert KeyUnknown(manufacturerId, keyIndex);
    }

    function _declareCompromise(uint32 manufacturerId, uint32 keyIndex, uint40 since) private {
        KeyMeta storage meta = _keyMeta(manufacturerId, keyIndex);
        uint40 latest = meta.compromisedSince == 0 ? uint40(block.timestamp) : meta.compromisedSince - 1;
        if (since < meta.registeredAt || since > latest) {
            revert CompromiseDateInvalid(since, meta.registeredAt, latest);
        }

        meta.compromisedSince = since;

        OpenLog memory log = _openLog(manufacturerId);
        emit KeyCompromised(manufacturerId, log.sequence, uint64(block.timestamp), keyIndex, since);
        _chain(
            log,
            keccak256(
                abi.encode(KeyCompromised.selector, manufacturerId, log.sequence, block.timestamp, keyIndex, since)
            )
        );
        _closeLog(log);
    }

    /// @dev Chains and stores an entry whose event has no parameters of its own.
    function _logBare(OpenLog memory log, bytes32 selector) private {
        _chain(log, keccak256(abi.encode(selector, log.manufacturerId, log.sequence, block.timestamp)));
        _closeLog(log);
    }

    /// @dev Chains and stores an entry whose event has one static parameter of its own.
    function _logWord(OpenLog memory log, bytes32 selector, bytes32 field) private {
        _chain(log, keccak256(abi.encode(selector, log.manufacturerId, log.sequence, block.timestamp, field)));
        _closeLog(log);
    }
}
