// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IHashChainedLog} from "./IHashChainedLog.sol";
import {IManufacturerRegistry} from "./IManufacturerRegistry.sol";
import {ISuccession} from "./ISuccession.sol";

/// @notice Whether the ledger allows an image to be installed, or the first reason why not. Only `Installable` is a yes: `Unknown`
/// and every value that a later version may add are not.
/// `Unknown`: no release of this product has this image. `Recalled`: the release was recalled. `SignaturesVoid`: of its signatures
/// fewer than it needed still count. `ManufacturerSuspended`: nothing of the manufacturer is good now. `ManufacturerLeft`: released
/// in the second in which the manufacturer left. `BelowMinimum`, `BelowInstalled`: a roll-back.
enum Installability {
    Unknown,
    Installable,
    Recalled,
    SignaturesVoid,
    ManufacturerSuspended,
    ManufacturerLeft,
    BelowMinimum,
    BelowInstalled
}

/// @title What may be installed.
/// @notice Firmware releases, each signed by k of a manufacturer's firmware keys; their recall, which nothing undoes; and for each
/// product the oldest security version that may still be installed, which never falls.
/// @dev A product is any name of 32 octets within one manufacturer. A security version is the anti-rollback counter of an
/// image; it starts from 1 and is unique within a product. An image digest is a SHA-256; which octets of a file it covers is the
/// image format's business.
///
/// A release is what k keys signed: ECDSA-SHA256 with low s over 0x1901 || domain separator || hash of
///
///     Release(uint32 manufacturerId,bytes32 product,uint64 securityVersion,bytes32 imageDigest,bytes32 manifestDigest,
///             string version,string uri)
///
/// in the EIP-712 domain (name "Fleetroot FirmwareRegistry", version "1", chain id, this contract), strings as their Keccak-256. Key
/// and signers are left out on purpose: all signers sign the same octets, so that one file travels between them and any k of them
/// will do. Nothing is lost: a P-256 key id belongs to one manufacturer, one index and one purpose for ever, its possession was
/// proved over other octets (so no key can be made to fit a signature that exists), and each signature is checked against the one
/// key that it names. What is signed can take effect once, because a security version is given once.
///
/// What must be true of the outside world: fewer than k firmware keys are in wrong hands at any time; a signer looked at what it
/// signed and signs nothing that must not be released, because whoever holds the signatures may submit them until the product has a
/// higher security version or the keys are retired; whoever asks hashed the image itself and knows what is installed. A release
/// may carry more signatures than k, but whoever sees them can submit it with only k of them: count on k.
/// All times are Unix seconds of the block. What happens in the same second as a key's retirement or compromise does not count.
interface IFirmwareRegistry is IHashChainedLog, ISuccession {
    /// @notice A release to publish.
    struct ReleaseInput {
        bytes32 product;
        /// Above the product's latest by 1 to 1,024; a product's first is at most 1,024.
        uint64 securityVersion;
        bytes32 imageDigest;
        /// SHA-256 of the update manifest; 0 if there is none.
        bytes32 manifestDigest;
        /// For people: 1 to 64 octets without control characters.
        string version;
        /// Where the image may be had: at most 512 octets without control characters.
        string uri;
    }

    /// @notice A published release. `releasedAt` is 0 if there is none.
    struct Release {
        uint64 securityVersion;
        bytes32 imageDigest;
        bytes32 manifestDigest;
        uint40 releasedAt;
        /// When it was recalled; 0 if it was not.
        uint40 recalledAt;
        /// How many signatures a release needed when this one was published.
        uint8 threshold;
        /// The indices of the keys that signed it, ascending.
        uint32[] signers;
    }

    /// @notice The ledger's answer about an image.
    struct InstallVerdict {
        Installability installability;
        /// The image's; 0 if it is unknown.
        uint64 securityVersion;
        /// The product's minimum, now.
        uint64 minimum;
        /// The product's latest, now, recalled or not.
        uint64 latest;
    }

    // ------------------------------------------------------------------------------------------------------------- events

    /// @notice A release was published.
    /// @param signers The indices of the keys that signed, ascending: 16 bits each, the last in the lowest; 0: no more.
    event ReleasePublished(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed product,
        uint64 securityVersion,
        bytes32 indexed imageDigest,
        bytes32 manifestDigest,
        uint8 threshold,
        uint128 signers,
        string version,
        string uri
    );
    /// @notice A release was recalled, for ever.
    event ReleaseRecalled(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed product,
        uint64 securityVersion,
        string reason
    );
    /// @notice Nothing of the product below `minimum` is installed any more.
    event MinimumRaised(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed product,
        uint64 minimum
    );
    /// @notice Releases need `threshold` signatures from `effectiveAt` on. Takes the place of a lowering that was not due yet.
    event ThresholdSet(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        uint8 threshold,
        uint40 effectiveAt
    );

    // ------------------------------------------------------------------------------------------------------------- errors

    /// @notice An image digest is never zero.
    error ImageDigestZero();
    /// @notice A security version must be above the product's `latest`, by at most 1,024.
    error SecurityVersionInvalid(uint64 securityVersion, uint64 latest);
    /// @notice The image was released before, as `securityVersion`. An image is released once for each product.
    error ImageAlreadyReleased(uint32 manufacturerId, bytes32 product, bytes32 imageDigest, uint64 securityVersion);
    /// @notice A text holds an octet below 0x20, or 0x7f.
    error TextInvalid();
    /// @notice There are fewer signatures than the threshold, or more than a release can carry.
    error SignatureCountInvalid(uint256 count, uint256 minimum, uint256 maximum);
    /// @notice There is no such release.
    error ReleaseUnknown(uint32 manufacturerId, bytes32 product, uint64 securityVersion);
    /// @notice The release was recalled before.
    error ReleaseAlreadyRecalled(uint32 manufacturerId, bytes32 product, uint64 securityVersion, uint40 recalledAt);
    /// @notice A minimum only rises, and never above the product's `latest`.
    error MinimumInvalid(uint64 wanted, uint64 minimum, uint64 latest);
    /// @notice A threshold is 1 to 8.
    error ThresholdInvalid(uint8 threshold);

    // ---------------------------------------------------------------------------------------------------------- releasing

    /// @notice Publishes a release on its signers' word, submitted by anybody. Sending it again changes nothing: a release is the same
    /// if product, security version and both digests are, and the texts recorded first stand.
    /// @dev An image is released once for each product: its security version is usually built into it, and a second release under a
    /// higher one would bring a recalled image back.
    /// @param signatures At least as many as the threshold, at most 8, strictly ascending by key index. Each key must be P-256, for
    /// firmware, and current.
    function publish(
        uint32 manufacturerId,
        ReleaseInput calldata input,
        IManufacturerRegistry.KeySignature[] calldata signatures
    ) external;

    /// @notice Recalls a release, for ever. By the controller or an operator with RELEASE, whatever the manufacturer's status.
    /// Raises no minimum by itself.
    /// @param reason For people: 1 to 128 octets without control characters.
    function recall(uint32 manufacturerId, bytes32 product, uint64 securityVersion, string calldata reason) external;

    /// @notice Raises the oldest security version of a product that may be installed. By the controller or an operator with RELEASE,
    /// whatever the manufacturer's status.
    function raiseMinimum(uint32 manufacturerId, bytes32 product, uint64 minimum) external;

    /// @notice Says how many signatures a release needs: at once if that is more than now, else after the manufacturers' key delay, and
    /// only while the manufacturer is active. Takes the place of a lowering that is not due yet. By the controller.
    function setThreshold(uint32 manufacturerId, uint8 threshold) external;

    // -------------------------------------------------------------------------------------------------------------- views

    /// @notice The registry of manufacturers that this one asks.
    function manufacturers() external view returns (IManufacturerRegistry);

    /// @notice How many signatures a release needs now, and what that will be from `pendingAt` on; zeros if nothing is pending.
    /// @dev 1 until the controller says otherwise, which is safe: there is no firmware key before the key delay has passed, and the
    /// controller can raise the threshold at once in the meantime. It is never 0.
    function threshold(uint32 manufacturerId) external view returns (uint8 current, uint8 pending, uint40 pendingAt);

    /// @notice A release by its security version; `releasedAt` is 0 if there is none.
    function release(
        uint32 manufacturerId,
        bytes32 product,
        uint64 securityVersion
    ) external view returns (Release memory);

    /// @notice A release by its image; `releasedAt` is 0 if there is none.
    function releaseByImage(
        uint32 manufacturerId,
        bytes32 product,
        bytes32 imageDigest
    ) external view returns (Release memory);

    /// @notice The release with the highest security version, recalled or not; `releasedAt` is 0 if there is none.
    function latest(uint32 manufacturerId, bytes32 product) external view returns (Release memory);

    /// @notice The oldest security version of a product that may be installed; 0 if none was set.
    function minimumSecurityVersion(uint32 manufacturerId, bytes32 product) external view returns (uint64);

    /// @notice Whether an image may be installed, now, over `installedSecurityVersion` (0 if nothing is). `Installable` only if it
    /// was released for this product, was not recalled, still has as many good signatures as it needed, its manufacturer is active
    /// (or left later), and its security version is neither below the minimum nor below what is installed.
    /// @dev The caller must have hashed the image itself. A signature is good unless its key was compromised or retired at or before
    /// the second of the release. A threshold that was raised later does not touch earlier releases.
    function isInstallable(
        uint32 manufacturerId,
        bytes32 product,
        bytes32 imageDigest,
        uint64 installedSecurityVersion
    ) external view returns (InstallVerdict memory);
}
