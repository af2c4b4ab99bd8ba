// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IHashChainedLog} from "./IHashChainedLog.sol";

/// @dev Rights that an operator can hold, as bits.
uint8 constant RIGHT_REGISTER = 1;
uint8 constant RIGHT_REVOKE = 2;
uint8 constant RIGHT_RELEASE = 4;
uint8 constant RIGHTS_ALL = 7;

/// @notice Where a manufacturer stands.
/// `Active`: may register. `Suspended`: nothing of it is good, revoking still works. `Left`: for ever; what it registered
/// earlier stays good, nothing new is registered.
enum ManufacturerStatus {
    None,
    Active,
    Suspended,
    Left
}

/// @notice What a key signs; each key signs one kind of thing only.
/// `Issuer`: device certificates and raw key objects that live in batches naming the key. `OpenIssuer`: device certificates that
/// anybody may register one by one with `registerIssued`; such a key must sign nothing but device certificates.
/// `Firmware`: releases and firmware images.
enum KeyPurpose {
    None,
    Issuer,
    OpenIssuer,
    Firmware
}

/// @title Who may vouch for devices.
/// @notice Manufacturers, the accounts that act for them, and the public keys that sign for them.
/// @dev What must be true of the outside world: each governance role is held by a multisig whose members do not collude; a
/// manufacturer's controller is kept like a root key; block timestamps are roughly right. Nothing here is erased or upgraded.
interface IManufacturerRegistry is IHashChainedLog {
    /// @notice A manufacturer as it stands now.
    struct Manufacturer {
        address controller;
        /// The status that counts now: a suspension that lapsed reads `Active`.
        ManufacturerStatus status;
        /// When the status began, in Unix seconds. After a lapse: when the suspension ended.
        uint40 statusSince;
        /// When a suspension lapses; 0 if it does not, or if the manufacturer is not suspended.
        uint40 suspendedUntil;
        /// How many keys there are; they are numbered from 1.
        uint32 keyCount;
        /// Who may accept the controller's place; zero if nobody.
        address pendingController;
        /// Who the consortium proposes as controller; zero if nobody.
        address proposedController;
        /// From when the proposal may be carried out.
        uint40 replacementAt;
        string name;
        string metadataURI;
    }

    /// @notice A public key of a manufacturer. Times are Unix seconds.
    struct Key {
        /// SHA-256 of the DER SubjectPublicKeyInfo.
        bytes32 keyId;
        KeyPurpose purpose;
        /// Whether the contract checked the key itself (P-256). Of other keys, readers check the possession proof.
        bool proven;
        uint40 registeredAt;
        /// The key signs new things in [notBefore, notAfter).
        uint40 notBefore;
        uint40 notAfter;
        /// When it was retired; 0 if it was not. Retired keys sign nothing new; what they signed stays good.
        uint40 revokedAt;
        /// From when on nothing it signed counts; 0 if not compromised.
        uint40 compromisedSince;
        /// The point, for P-256; else 0.
        bytes32 x;
        bytes32 y;
    }

    /// @notice A signature by one of a manufacturer's P-256 keys.
    struct KeySignature {
        uint32 keyIndex;
        bytes32 r;
        /// At most n / 2.
        bytes32 s;
    }

    // ------------------------------------------------------------------------------------------------------------- events

    /// @notice `manufacturerId` was admitted by the consortium.
    event ManufacturerAdmitted(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        address controller,
        string name,
        string metadataURI
    );
    /// @notice `manufacturerId` was suspended until `until` unless confirmed.
    event ManufacturerSuspended(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, uint40 until);
    /// @notice The suspension of `manufacturerId` no longer lapses.
    event SuspensionConfirmed(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp);
    /// @notice `manufacturerId` is active again.
    event ManufacturerResumed(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp);
    /// @notice `manufacturerId` left, for good.
    event ManufacturerLeft(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp);
    /// @notice The metadata URI of `manufacturerId` changed.
    event MetadataURIChanged(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, string metadataURI);
    /// @notice `pendingController` may now accept to be the controller; zero: nobody.
    event ControllerTransferStarted(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        address pendingController
    );
    /// @notice `controller` acts for `manufacturerId` from now on.
    event ControllerTransferred(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, address controller);
    /// @notice The consortium proposes `proposedController`, to be put in place from `replacementAt` on.
    event ControllerReplacementProposed(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        address proposedController,
        uint40 replacementAt
    );
    /// @notice The controller refused to be replaced.
    event ControllerReplacementVetoed(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp);
    /// @notice `controller` replaced a lost controller; every operator named before has lost its rights.
    event ControllerReplaced(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, address controller);
    /// @notice `operator` holds `rights` (bits) until the second before `until`; rights 0: none.
    event OperatorSet(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        address operator,
        uint8 rights,
        uint40 until
    );
    /// @notice A key was added. For P-256 (`proven`) the contract checked `proof`; for any other key every reader must, and
    /// must treat a key without a valid proof as absent.
    event KeyAdded(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed keyId,
        uint32 keyIndex,
        KeyPurpose purpose,
        bool proven,
        uint40 notBefore,
        uint40 notAfter,
        bytes spki,
        bytes proof
    );
    /// @notice The key signs nothing new from now on.
    event KeyRevoked(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, uint32 keyIndex);
    /// @notice Nothing that the key signed counts if it was registered at `since` or later.
    event KeyCompromised(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        uint32 keyIndex,
        uint40 since
    );

    // ------------------------------------------------------------------------------------------------------------- errors

    /// @notice There is no such manufacturer.
    error ManufacturerUnknown(uint32 manufacturerId);
    /// @notice The manufacturer's status does not allow this.
    error ManufacturerStatusWrong(uint32 manufacturerId, ManufacturerStatus status);
    /// @notice `account` is neither the controller nor an operator with this right now.
    error AccountUnauthorized(uint32 manufacturerId, address account, uint8 right);
    /// @notice `account` is not the controller.
    error ControllerUnauthorized(uint32 manufacturerId, address account);
    /// @notice The zero address cannot be this.
    error AddressZero();
    /// @notice A text or byte string is shorter or longer than allowed.
    error LengthOutOfRange(uint256 length, uint256 minimum, uint256 maximum);
    /// @notice No replacement is proposed, or it is not due before `replacementAt`.
    error ReplacementNotDue(uint32 manufacturerId, uint40 replacementAt);
    /// @notice The rights are not a set of known bits, or the expiry is not in the future.
    error OperatorInvalid(uint8 rights, uint40 until);
    /// @notice All 255 controller replacements have been used.
    error ReplacementsExhausted(uint32 manufacturerId);
    /// @notice The manufacturer has as many keys as it may ever have.
    error KeysExhausted(uint32 manufacturerId, uint32 maximum);
    /// @notice There is no such key.
    error KeyUnknown(uint32 manufacturerId, uint32 keyIndex);
    /// @notice The purpose is none of the three.
    error KeyPurposeInvalid(KeyPurpose purpose);
    /// @notice The validity is empty or over.
    error KeyValidityInvalid(uint40 notBefore, uint40 notAfter);
    /// @notice The SubjectPublicKeyInfo is not the DER form that a P-256 key must have: named curve, uncompressed point.
    error KeyEncodingInvalid(uint256 length);
    /// @notice The coordinates are not a point of P-256.
    error PublicKeyInvalid(bytes32 x, bytes32 y);
    /// @notice The possession proof is not a valid signature by the key over this manufacturer, key id and purpose.
    error KeyPossessionUnproven(uint32 manufacturerId, bytes32 keyId);
    /// @notice The key id is registered: for P-256 once for ever, for other keys once for each manufacturer.
    error KeyAlreadyRegistered(bytes32 keyId, uint32 manufacturerId, uint32 keyIndex);
    /// @notice The key was retired before.
    error KeyAlreadyRevoked(uint32 manufacturerId, uint32 keyIndex, uint40 revokedAt);
    /// @notice `since` must lie between the key's registration and now, and before any date declared earlier.
    error CompromiseDateInvalid(uint40 since, uint40 earliest, uint40 latest);
    /// @notice The key has another purpose.
    error KeyPurposeWrong(uint32 manufacturerId, uint32 keyIndex, KeyPurpose purpose);
    /// @notice The key is not in its validity, is retired or is compromised.
    error KeyNotCurrent(uint32 manufacturerId, uint32 keyIndex);
    /// @notice The contract verifies P-256 signatures only.
    error KeyAlgorithmUnsupported(uint32 manufacturerId, uint32 keyIndex);
    /// @notice Signatures come by strictly ascending key index.
    error SignaturesUnordered(uint32 keyIndex, uint32 previous);
    /// @notice The signature is not the key's over this digest, or its s is above n / 2.
    error SignatureInvalid(bytes32 keyId);
    /// @notice The authority of a registry never changes.
    error AuthorityImmutable();
    /// @notice Outside test chains the key delay may not be zero; ids start from 1.
    error DeploymentInvalid();

    // --------------------------------------------------------------------------------------------------------- governance

    /// @notice Admits a manufacturer and gives it the next id. By the consortium, after the admission delay.
    function admit(
        address controller,
        string calldata name,
        string calldata metadataURI
    ) external returns (uint32 manufacturerId);

    /// @notice Suspends an active manufacturer at once; lapses after 14 days unless confirmed. By a guardian.
    function suspend(uint32 manufacturerId) external;

    /// @notice Makes a running suspension last until it is ended. By the consortium.
    function confirmSuspension(uint32 manufacturerId) external;

    /// @notice Ends a suspension at once. By the consortium.
    function resume(uint32 manufacturerId) external;

    /// @notice Dates a key's compromise for a suspended manufacturer or one that left. By a guardian or the consortium.
    function declareCompromiseFor(uint32 manufacturerId, uint32 keyIndex, uint40 since) external;

    /// @notice Proposes a new controller for a manufacturer that lost its own; due after 30 days. By the consortium.
    function proposeController(uint32 manufacturerId, address controller) external;

    /// @notice Puts the proposed controller in place once it is due. Operators named before lose their rights. By the consortium.
    function replaceController(uint32 manufacturerId) external;

    // --------------------------------------------------------------------------------------------------------- controller

    /// @notice Refuses a proposed replacement. By the controller, unless suspended.
    function vetoReplacement(uint32 manufacturerId) external;

    /// @notice Names who may take over as controller; zero takes the offer back.
    function transferController(uint32 manufacturerId, address pendingController) external;

    /// @notice Takes over as controller. By the pending controller.
    function acceptController(uint32 manufacturerId) external;

    /// @notice Leaves for good. Not while suspended.
    function resign(uint32 manufacturerId) external;

    /// @notice Changes the metadata URI. The name stays as admitted.
    function setMetadataURI(uint32 manufacturerId, string calldata metadataURI) external;

    /// @notice Gives `operator` exactly these rights until `until` (exclusive); rights 0 takes them away.
    function setOperator(uint32 manufacturerId, address operator, uint8 rights, uint40 until) external;

    /// @notice Adds a key. A firmware key starts after the key delay.
    /// @dev `proof` is the key's own signature over the 66 octets 0x1901 || domain separator || hash of
    /// `KeyPossession(uint32 manufacturerId,bytes32 keyId,uint8 purpose)`: for P-256 with SHA-256, r || s with low s.
    /// @param spki DER SubjectPublicKeyInfo, at most 1,024 octets.
    function addKey(
        uint32 manufacturerId,
        KeyPurpose purpose,
        uint40 notBefore,
        uint40 notAfter,
        bytes calldata spki,
        bytes calldata proof
    ) external returns (uint32 keyIndex);

    /// @notice Retires a key now: it signs nothing new, what it signed stays good.
    function revokeKey(uint32 manufacturerId, uint32 keyIndex) external;

    /// @notice Says that others held the key since `since`: what was registered from then on is void. Moves earlier only.
    function declareCompromise(uint32 manufacturerId, uint32 keyIndex, uint40 since) external;

    // -------------------------------------------------------------------------------------------------------------- views

    /// @notice How long a new firmware key waits, in seconds.
    function keyDelay() external view returns (uint40);

    /// @notice The highest id given so far; ids below the deployment's first belong to earlier deployments.
    function lastManufacturerId() external view returns (uint32);

    /// @notice A manufacturer; reverts with {ManufacturerUnknown}.
    function manufacturer(uint32 manufacturerId) external view returns (Manufacturer memory);

    /// @notice A key; reverts with {KeyUnknown}.
    function key(uint32 manufacturerId, uint32 keyIndex) external view returns (Key memory);

    /// @notice The one owner of a P-256 key id; zeros if there is none. Of other keys this knows nothing: read the events.
    function provenKey(bytes32 keyId) external view returns (uint32 manufacturerId, uint32 keyIndex);

    /// @notice The rights that `account` has now as an operator, and until when; zeros if none.
    function operator(uint32 manufacturerId, address account) external view returns (uint8 rights, uint40 until);

    /// @notice What a status needs to know of the manufacturer and of one of its keys. Reverts if either is unknown.
    /// @return status The manufacturer's status, now.
    /// @return statusSince When that began.
    /// @return revokedAt When the key was retired; 0 if it was not.
    /// @return compromisedSince From when on nothing that the key signed counts; 0 if not compromised.
    function keyStanding(
        uint32 manufacturerId,
        uint32 keyIndex
    ) external view returns (ManufacturerStatus status, uint40 statusSince, uint40 revokedAt, uint40 compromisedSince);

    /// @notice Reverts unless `account` may use `right` for the manufacturer.
    function requireOperator(uint32 manufacturerId, address account, uint8 right) external view;

    /// @notice Reverts unless the manufacturer is active, `account` may register for it, and the key is current and has `purpose`.
    function requireRegistration(
        uint32 manufacturerId,
        address account,
        uint32 keyIndex,
        KeyPurpose purpose
    ) external view;

    /// @notice A P-256 key that may sign something new now. Reverts unless the manufacturer is active and the key is P-256,
    /// current and has `purpose`.
    function signingKey(
        uint32 manufacturerId,
        uint32 keyIndex,
        KeyPurpose purpose
    ) external view returns (bytes32 keyId, bytes32 x, bytes32 y);

    /// @notice Reverts unless the manufacturer is active and each of these P-256 keys is current, has `purpose` and signed `digest`, a
    /// SHA-256 hash. The keys are distinct: they come by strictly ascending index. How many there must be is the caller's to say; none
    /// is accepted too.
    function requireSigned(
        uint32 manufacturerId,
        KeyPurpose purpose,
        bytes32 digest,
        KeySignature[] calldata signatures
    ) external view;
}
