// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Governed} from "./Governed.sol";
import {Succession} from "./Succession.sol";
import {IFirmwareRegistry} from "./interfaces/IFirmwareRegistry.sol";
import {Installability} from "./interfaces/IFirmwareRegistry.sol";
import {IManufacturerRegistry} from "./interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "./interfaces/IManufacturerRegistry.sol";
import {ManufacturerStatus} from "./interfaces/IManufacturerRegistry.sol";
import {RIGHT_RELEASE} from "./interfaces/IManufacturerRegistry.sol";
import {PlainText} from "./libraries/PlainText.sol";
import {Statement} from "./libraries/Statement.sol";

/// @title What may be installed. See {IFirmwareRegistry}.
contract FirmwareRegistry is IFirmwareRegistry, Succession, EIP712 {
    /// @dev The highest threshold, and the most signatures that a release carries.
    uint8 private constant MAX_SIGNATURES = 8;
    /// @dev The most by which one release raises the security version, so that nobody can use up all of them at once.
    uint64 private constant MAX_STEP = 1_024;
    uint256 private constant MAX_VERSION = 64;
    uint256 private constant MAX_URI = 512;
    uint256 private constant MAX_REASON = 128;

    uint8 private constant SIGNER_BITS = 16;

    bytes32 private constant RELEASE_TYPEHASH = keccak256(
        "Release(uint32 manufacturerId,bytes32 product,uint64 securityVersion,bytes32 imageDigest,bytes32 manifestDigest,string version,string uri)"
    );

    /// @dev One slot.
    struct ReleaseMeta {
        uint40 securityVersion;
        uint40 releasedAt;
        uint40 recalledAt;
        uint8 threshold;
        /// Key indices of {SIGNER_BITS} each, ascending, the last in the lowest.
        uint128 signers;
    }

    struct StoredRelease {
        bytes32 manifestDigest;
        ReleaseMeta meta;
    }

    struct Product {
        uint64 latest;
        uint64 minimum;
        mapping(uint64 securityVersion => bytes32 imageDigest) images;
        mapping(bytes32 imageDigest => StoredRelease release) releases;
    }

    /// @dev 0 in `current` means 1; 0 in `pending`, none.
    struct Threshold {
        uint8 current;
        uint8 pending;
        uint40 pendingAt;
    }

    /// @inheritdoc IFirmwareRegistry
    IManufacturerRegistry public immutable manufacturers;

    mapping(uint32 manufacturerId => Threshold threshold) private _thresholds;
    mapping(uint32 manufacturerId => mapping(bytes32 name => Product product)) private _products;

    constructor(
        IManufacturerRegistry manufacturers_,
        address authority_
    ) Governed(authority_) EIP712("Fleetroot FirmwareRegistry", "1") {
        manufacturers = manufacturers_;
    }

    // ---------------------------------------------------------------------------------------------------------- releasing

    /// @inheritdoc IFirmwareRegistry
    function publish(
        uint32 manufacturerId,
        ReleaseInput calldata input,
        IManufacturerRegistry.KeySignature[] calldata signatures
    ) external {
        Product storage product = _products[manufacturerId][input.product];
        StoredRelease storage stored = product.releases[input.imageDigest];
        if (stored.meta.releasedAt != 0) {
            uint64 known = stored.meta.securityVersion;
            if (known == input.securityVersion && stored.manifestDigest == input.manifestDigest) return;
            revert ImageAlreadyReleased(manufacturerId, input.product, input.imageDigest, known);
        }
        _requireNotMoved();
        if (input.imageDigest == 0) revert ImageDigestZero();
        uint64 securityVersion = input.securityVersion;
        string calldata version = input.version;
        string calldata uri = input.uri;
        _requireStep(securityVersion, product.latest);
        _requireText(version, 1, MAX_VERSION);
        _requireText(uri, 0, MAX_URI);

        uint8 needed = _currentThreshold(_thresholds[manufacturerId]);
        bytes32 digest = _statementDigest(manufacturerId, input, version, uri);
        uint128 signers = _requireSigned(manufacturerId, digest, signatures, needed);

        product.latest = securityVersion;
        product.images[securityVersion] = input.imageDigest;
        stored.manifestDigest = input.manifestDigest;
        ReleaseMeta storage meta = stored.meta;
        // No product gets to the end of 40 bits: that takes 2^30 releases.
        meta.securityVersion = SafeCast.toUint40(securityVersion);
        meta.releasedAt = uint40(block.timestamp);
        meta.threshold = needed;
        meta.signers = signers;

        OpenLog memory log = _openLog(manufacturerId);
        emit ReleasePublished(
            manufacturerId,
            log.sequence,
            uint64(block.timestamp),
            input.product,
            securityVersion,
            input.imageDigest,
            input.manifestDigest,
            needed,
            signers,
            version,
            uri
        );
        _chain(
            log,
            keccak256(
                abi.encode(
                    ReleasePublished.selector,
                    manufacturerId,
                    log.sequence,
                    block.timestamp,
                    input.product,
                    securityVersion,
                    input.imageDigest,
                    input.manifestDigest,
                    needed,
                    signers,
                    version,
                    uri
                )
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IFirmwareRegistry
    function recall(uint32 manufacturerId, bytes32 product, uint64 securityVersion, string calldata reason) external {
        _requireText(reason, 1, MAX_REASON);
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_RELEASE);
        Product storage known = _products[manufacturerId][product];
        bytes32 imageDigest = known.images[securityVersion];
        if (imageDigest == 0) revert ReleaseUnknown(manufacturerId, product, securityVersion);
        ReleaseMeta storage meta = known.releases[imageDigest].meta;
        if (meta.recalledAt != 0) {
            revert ReleaseAlreadyRecalled(manufacturerId, product, securityVersion, meta.recalledAt);
        }

        meta.recalledAt = uint40(block.timestamp);

        OpenLog memory log = _openLog(manufacturerId);
        emit ReleaseRecalled(manufacturerId, log.sequence, uint64(block.timestamp), product, securityVersion, reason);
        _chain(
            log,
            keccak256(
                abi.encode(
                    ReleaseRecalled.selector,
                    manufacturerId,
                    log.sequence,
                    block.timestamp,
                    product,
                    securityVersion,
                    reason
                )
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IFirmwareRegistry
    function raiseMinimum(uint32 manufacturerId, bytes32 product, uint64 minimum) external {
        manufacturers.requireOperator(manufacturerId, msg.sender, RIGHT_RELEASE);
        Product storage known = _products[manufacturerId][product];
        if (minimum <= known.minimum || minimum > known.latest) {
            revert MinimumInvalid(minimum, known.minimum, known.latest);
        }

        known.minimum = minimum;

        OpenLog memory log = _openLog(manufacturerId);
        emit MinimumRaised(manufacturerId, log.sequence, uint64(block.timestamp), product, minimum);
        _chain(
            log,
            keccak256(
                abi.encode(MinimumRaised.selector, manufacturerId, log.sequence, block.timestamp, product, minimum)
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc IFirmwareRegistry
    function setThreshold(uint32 manufacturerId, uint8 wanted) external {
        if (wanted == 0 || wanted > MAX_SIGNATURES) revert ThresholdInvalid(wanted);
        IManufacturerRegistry.Manufacturer memory manufacturer = manufacturers.manufacturer(manufacturerId);
        if (msg.sender != manufacturer.controller) {
            revert IManufacturerRegistry.ControllerUnauthorized(manufacturerId, msg.sender);
        }
        Threshold storage stored = _thresholds[manufacturerId];
        uint8 current = _currentThreshold(stored);
        uint40 effectiveAt = uint40(block.timestamp);
        if (wanted >= current) {
            _thresholds[manufacturerId] = Threshold({current: wanted, pending: 0, pendingAt: 0});
        } else {
            // Who stole the controller must not lower it while the manufacturer is suspended for that.
            if (manufacturer.status != ManufacturerStatus.Active) {
                revert IManufacturerRegistry.ManufacturerStatusWrong(manufacturerId, manufacturer.status);
            }
            effectiveAt += manufacturers.keyDelay();
            _thresholds[manufacturerId] = Threshold({current: current, pending: wanted, pendingAt: effectiveAt});
        }

        OpenLog memory log = _openLog(manufacturerId);
        emit ThresholdSet(manufacturerId, log.sequence, uint64(block.timestamp), wanted, effectiveAt);
        _chain(
            log,
            keccak256(
                abi.encode(ThresholdSet.selector, manufacturerId, log.sequence, block.timestamp, wanted, effectiveAt)
            )
        );
        _closeLog(log);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IFirmwareRegistry
    function threshold(uint32 manufacturerId) external view returns (uint8 current, uint8 pending, uint40 pendingAt) {
        Threshold storage stored = _thresholds[manufacturerId];
        current = _currentThreshold(stored);
        if (stored.pending != 0 && block.timestamp < stored.pendingAt)
            return (current, stored.pending, stored.pendingAt);
        return (current, 0, 0);
    }

    /// @inheritdoc IFirmwareRegistry
    function release(
        uint32 manufacturerId,
        bytes32 product,
        uint64 securityVersion
    ) external view returns (Release memory) {
        Product storage known = _products[manufacturerId][product];
        return _release(known, known.images[securityVersion]);
    }

    /// @inheritdoc IFirmwareRegistry
    function releaseByImage(
        uint32 manufacturerId,
        bytes32 product,
        bytes32 imageDigest
    ) external view returns (Release memory) {
        return _release(_products[manufacturerId][product], imageDigest);
    }

    /// @inheritdoc IFirmwareRegistry
    function latest(uint32 manufacturerId, bytes32 product) external view returns (Release memory) {
        Product storage known = _products[manufacturerId][product];
        return _release(known, known.images[known.latest]);
    }

    /// @inheritdoc IFirmwareRegistry
    function minimumSecurityVersion(uint32 manufacturerId, bytes32 product) external view returns (uint64) {
        return _products[manufacturerId][product].minimum;
    }

    /// @inheritdoc IFirmwareRegistry
    function isInstallable(
        uint32 manufacturerId,
        bytes32 product,
        bytes32 imageDigest,
        uint64 installedSecurityVersion
    ) external view returns (InstallVerdict memory verdict) {
        Product storage known = _products[manufacturerId][product];
        ReleaseMeta memory meta = known.releases[imageDigest].meta;
        verdict.securityVersion = meta.securityVersion;
        verdict.minimum = known.minimum;
        verdict.latest = known.latest;
        verdict.installability = _installability(manufacturerId, meta, verdict.minimum, installedSecurityVersion);
    }

    // ------------------------------------------------------------------------------------------------------------- checks

    function _requireStep(uint64 securityVersion, uint64 latestVersion) private pure {
        if (securityVersion <= latestVersion || securityVersion - latestVersion > MAX_STEP) {
            revert SecurityVersionInvalid(securityVersion, latestVersion);
        }
    }

    function _requireText(string calldata text, uint256 minimum, uint256 maximum) private pure {
        uint256 length = bytes(text).length;
        if (length < minimum || length > maximum) {
            revert IManufacturerRegistry.LengthOutOfRange(length, minimum, maximum);
        }
        if (PlainText.hasControl(text)) revert TextInvalid();
    }

    /// @return signers The keys that signed, as {ReleaseMeta} holds them.
    function _requireSigned(
        uint32 manufacturerId,
        bytes32 digest,
        IManufacturerRegistry.KeySignature[] calldata signatures,
        uint8 needed
    ) private view returns (uint128 signers) {
        if (signatures.length < needed || signatures.length > MAX_SIGNATURES) {
            revert SignatureCountInvalid(signatures.length, needed, MAX_SIGNATURES);
        }
        manufacturers.requireSigned(manufacturerId, KeyPurpose.Firmware, digest, signatures);
        for (uint256 i = 0; i < signatures.length; ++i) {
            signers = (signers << SIGNER_BITS) | SafeCast.toUint16(signatures[i].keyIndex);
        }
    }

    function _statementDigest(
        uint32 manufacturerId,
        ReleaseInput calldata input,
        string calldata version,
        string calldata uri
    ) private view returns (bytes32) {
        bytes32 statement = keccak256(
            abi.encode(
                RELEASE_TYPEHASH,
                manufacturerId,
                input.product,
                input.securityVersion,
                input.imageDigest,
                input.manifestDigest,
                _hash(version),
                _hash(uri)
            )
        );
        return Statement.digest(_domainSeparatorV4(), statement);
    }

    /// @dev `keccak256(bytes(text))`, without the 300 gas that making a `bytes` of it costs.
    function _hash(string calldata text) private pure returns (bytes32 hash) {
        // solhint-disable-next-line no-inline-assembly, for the reason above
        assembly ("memory-safe") {
            let octets := mload(0x40)
            calldatacopy(octets, text.offset, text.length)
            hash := keccak256(octets, text.length)
        }
    }

    // ------------------------------------------------------------------------------------------------------------ reading

    function _currentThreshold(Threshold storage stored) private view returns (uint8) {
        if (stored.pending != 0 && block.timestamp >= stored.pendingAt) return stored.pending;
        return stored.current == 0 ? 1 : stored.current;
    }

    function _release(Product storage product, bytes32 imageDigest) private view returns (Release memory) {
        StoredRelease storage stored = product.releases[imageDigest];
        ReleaseMeta memory meta = stored.meta;
        return
            Release({
                securityVersion: meta.securityVersion,
                imageDigest: meta.releasedAt == 0 ? bytes32(0) : imageDigest,
                manifestDigest: stored.manifestDigest,
                releasedAt: meta.releasedAt,
                recalledAt: meta.recalledAt,
                threshold: meta.threshold,
                signers: _signersOf(meta)
            });
    }

    function _signersOf(ReleaseMeta memory meta) private pure returns (uint32[] memory signers) {
        uint256 count = 0;
        for (uint256 rest = meta.signers; rest != 0; rest >>= SIGNER_BITS) ++count;
        signers = new uint32[](count);
        uint128 left = meta.signers;
        for (uint256 i = count; i != 0; left >>= SIGNER_BITS) signers[--i] = uint16(left);
    }

    /// @dev What cannot change for the better comes first.
    function _installability(
        uint32 manufacturerId,
        ReleaseMeta memory meta,
        uint64 minimum,
        uint64 installed
    ) private view returns (Installability) {
        if (meta.releasedAt == 0) return Installability.Unknown;
        if (meta.recalledAt != 0) return Installability.Recalled;

        uint32[] memory signers = _signersOf(meta);
        uint256 good = 0;
        ManufacturerStatus status;
        uint40 statusSince;
        for (uint256 i = 0; i < signers.length; ++i) {
            uint40 revokedAt;
            uint40 compromisedSince;
            (status, statusSince, revokedAt, compromisedSince) = manufacturers.keyStanding(manufacturerId, signers[i]);
            if (_counts(meta.releasedAt, revokedAt) && _counts(meta.releasedAt, compromisedSince)) ++good;
        }
        if (good < meta.threshold) return Installability.SignaturesVoid;

        if (status == ManufacturerStatus.Left) {
            if (meta.releasedAt >= statusSince) return Installability.ManufacturerLeft;
        } else if (status != ManufacturerStatus.Active) {
            return Installability.ManufacturerSuspended;
        }
        if (meta.securityVersion < minimum) return Installability.BelowMinimum;
        if (meta.securityVersion < installed) return Installability.BelowInstalled;
        return Installability.Installable;
    }

    /// @dev Released in the second of the key's end: not good.
    function _counts(uint40 releasedAt, uint40 end) private pure returns (bool) {
        return end == 0 || releasedAt < end;
    }
}
