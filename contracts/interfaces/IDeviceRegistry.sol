// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IHashChainedLog} from "./IHashChainedLog.sol";
import {IManufacturerRegistry} from "./IManufacturerRegistry.sol";
import {ISuccession} from "./ISuccession.sol";

/// @notice What a batch or a subject is marked with.
enum Mark {
    None,
    Held,
    Revoked
}

/// @notice What the ledger says of a device. `Unknown` and every value that a later version may add are not good.
enum Status {
    Unknown,
    Good,
    OnHold,
    Revoked,
    Expired
}

/// @notice What the credentials of a batch are: X.509 certificates, or raw public key objects.
enum CredentialKind {
    X509,
    RawPublicKey
}

/// @dev Batch flags, as bits.
uint8 constant FLAG_BY_KEY = 1;
uint8 constant FLAG_RAW_PUBLIC_KEYS = 2;

/// @title What was issued, and whether it still counts.
/// @notice Batches of device credentials under Merkle roots, single credentials, and their revocation, which nothing undoes.
/// @dev A credential hash is the SHA-256 of a certificate's DER TBSCertificate, or of a raw public key object's COSE payload. A
/// subject is a credential hash or a device key id (SHA-256 of the DER SubjectPublicKeyInfo).
///
/// What must be true of the outside world: the batch builder put each credential into one batch only; an open issuer key signs
/// nothing but device certificates; a caller that acts on a credential was shown its bytes and hashed them itself. Reasons are
/// RFC 5280 CRLReason codes. All times are Unix seconds of the block.
interface IDeviceRegistry is IHashChainedLog, ISuccession {
    /// @notice A batch to register.
    struct BatchInput {
        /// From 1; from 2^31 on reserved for batches that the issuer key itself authorises.
        uint32 series;
        uint32 size;
        /// The manufacturer's `Issuer` key that signed the credentials.
        uint32 keyIndex;
        /// When the last credential of the batch ends (inclusive).
        uint40 notAfter;
        bytes32 root;
    }

    /// @notice A registered batch. `size` is 0 if there is none.
    struct Batch {
        bytes32 root;
        uint32 size;
        uint32 keyIndex;
        uint40 registeredAt;
        uint40 notAfter;
        Mark mark;
        /// {FLAG_BY_KEY}, {FLAG_RAW_PUBLIC_KEYS}.
        uint8 flags;
        /// How many status bits are set.
        uint32 revokedCount;
        /// When `mark` last changed.
        uint40 changedAt;
        uint8 reason;
    }

    /// @notice What is recorded of one subject.
    struct Record {
        /// When it was registered by itself; 0 if it was not (it may be in a batch).
        uint40 registeredAt;
        /// When `mark` last changed.
        uint40 changedAt;
        /// When it ends (inclusive); 0 if the ledger was not told: the credential says it.
        uint40 notAfter;
        /// When the key is thought to have been lost; information only.
        uint40 invalidityDate;
        /// The `OpenIssuer` key that signed it.
        uint32 keyIndex;
        Mark mark;
        uint8 reason;
    }

    /// @notice A subject and, if it has one, its place; series 0: no place.
    struct Target {
        bytes32 subject;
        uint32 series;
        uint32 index;
    }

    /// @notice The ledger's answer, and since when. `reason` means something for `OnHold` and `Revoked` only.
    struct Verdict {
        Status status;
        uint8 reason;
        uint40 since;
    }

    // ------------------------------------------------------------------------------------------------------------- events

    /// @notice A batch was registered.
    event BatchRegistered(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        uint32 indexed series,
        bytes32 root,
        uint32 size,
        uint32 keyIndex,
        uint40 notAfter,
        uint8 flags
    );
    /// @notice One credential was registered by itself.
    event CredentialRegistered(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed credentialHash,
        uint32 keyIndex,
        uint40 notAfter
    );
    /// @notice A subject was revoked, for ever.
    event SubjectRevoked(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed subject,
        uint32 series,
        uint32 index,
        uint8 reason,
        uint40 invalidityDate
    );
    /// @notice A subject was put on hold.
    event SubjectHeld(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed subject,
        uint32 series,
        uint32 index
    );
    /// @notice The hold on a subject ended.
    event SubjectReleased(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        bytes32 indexed subject,
        uint32 series,
        uint32 index
    );
    /// @notice `bits` of a batch's status word were set: the devices at those places are revoked, for ever.
    event WordRevoked(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        uint32 indexed series,
        uint32 word,
        uint256 bits,
        uint8 reason
    );
    /// @notice All of a batch was revoked, for ever.
    event BatchRevoked(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        uint32 indexed series,
        uint8 reason
    );
    /// @notice All of a batch was put on hold.
    event BatchHeld(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, uint32 indexed series);
    /// @notice The hold on a batch ended.
    event BatchReleased(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, uint32 indexed series);

    // ------------------------------------------------------------------------------------------------------------- errors

    /// @notice Series 0 means "no place"; series from 2^31 on, and raw public keys, need the issuer key's signature.
    error SeriesInvalid(uint32 series);
    /// @notice The series holds another batch; a series is used once.
    error SeriesUsed(uint32 manufacturerId, uint32 series);
    /// @notice The root is zero.
    error RootZero();
    /// @notice A batch holds at least one credential.
    error BatchEmpty();
    /// @notice The end lies in the past.
    error NotAfterPast(uint40 notAfter);
    /// @notice There is no such batch.
    error BatchUnknown(uint32 manufacturerId, uint32 series);
    /// @notice `index` is not below the batch's `size`.
    error BatchIndexOutOfRange(uint256 index, uint256 size);
    /// @notice The batch is marked already.
    error BatchAlreadyMarked(uint32 manufacturerId, uint32 series, Mark mark, uint40 changedAt);
    /// @notice The batch carries no hold that began at `changedAt`.
    error BatchNotHeld(uint32 manufacturerId, uint32 series, uint40 changedAt);
    /// @notice The signature is not the key's over this statement, or its s is above n / 2.
    error SignatureInvalid(bytes32 keyId);
    /// @notice A list is empty, longer than `maximum`, or not as long as its partner.
    error ListLengthInvalid(uint256 length, uint256 maximum);
    /// @notice A subject is never zero.
    error SubjectZero();
    /// @notice The credential was registered before, under another key: `keyIndex`.
    error CredentialAlreadyRegistered(uint32 manufacturerId, bytes32 credentialHash, uint32 keyIndex);
    /// @notice The subject is marked already.
    error SubjectAlreadyMarked(uint32 manufacturerId, bytes32 subject, Mark mark, uint40 changedAt);
    /// @notice The subject carries no hold that began at `changedAt`.
    error SubjectNotHeld(uint32 manufacturerId, bytes32 subject, uint40 changedAt);
    /// @notice Not a CRLReason that a revocation can have (6, 7 and 8 cannot, and there is none above 10).
    error ReasonInvalid(uint8 reason);
    /// @notice The invalidity date lies in the future.
    error InvalidityDateInvalid(uint40 invalidityDate);
    /// @notice A mask without bits.
    error MaskEmpty(uint32 word);
    /// @notice The payload is not a raw public key object with a P-256 key.
    error RawPublicKeyInvalid();
    /// @notice The credential is neither at that place of a batch of raw public keys nor registered by itself.
    error CredentialUnproven(uint32 manufacturerId, bytes32 credentialHash);

    // ------------------------------------------------------------------------------------------------------- registration

    /// @notice Registers a batch of X.509 certificates, in a series below 2^31. By the controller or an operator with REGISTER.
    function registerBatch(uint32 manufacturerId, BatchInput calldata input) external;

    /// @notice Registers a batch on the issuer key's own word, submitted by anybody. Repeating it changes nothing.
    /// @dev (r, s) is the signature of the key, P-256 with SHA-256 and low s, over 0x1901 || domain separator || hash of
    /// `BatchRegistration(uint32 manufacturerId,uint32 series,bytes32 root,uint32 size,bytes32 keyId,uint40 notAfter,uint8 kind)`.
    function registerBatchFor(
        uint32 manufacturerId,
        BatchInput calldata input,
        CredentialKind kind,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Registers credentials signed by an `OpenIssuer` key one by one. Those that the same key registered before are passed
    /// over as they are, so that nobody can hold a list up by registering one of it first. By the controller or an operator with
    /// REGISTER.
    /// @param notAfters When each ends (inclusive), or 0 to leave that to the credential.
    function registerCredentials(
        uint32 manufacturerId,
        uint32 keyIndex,
        bytes32[] calldata credentialHashes,
        uint40[] calldata notAfters
    ) external;

    /// @notice Registers a credential on the strength of its own signature, submitted by anybody. Repeating it changes nothing.
    /// @dev (r, s) is the `OpenIssuer` key's signature in the certificate, with s lowered to at most n / 2: its digest is the
    /// credential hash. The record says "this key signed these bytes" and nothing about what they are: its `notAfter` stays 0,
    /// because the submitter could be anybody and must not be able to set it.
    function registerIssued(
        uint32 manufacturerId,
        uint32 keyIndex,
        bytes32 credentialHash,
        bytes32 r,
        bytes32 s
    ) external;

    // --------------------------------------------------------------------------------------------------------- revocation

    /// @notice Revokes subjects, registered or not, for ever. Those revoked before are passed over, so that two lists that overlap
    /// never hold each other up. By the controller or an operator with REVOKE, whatever the manufacturer's status.
    /// @param invalidityDate When the keys are thought to have been lost; 0 if not known.
    function revoke(uint32 manufacturerId, Target[] calldata targets, uint8 reason, uint40 invalidityDate) external;

    /// @notice Puts subjects on hold. Those that are revoked are passed over; one that is on hold makes the call fail. By the
    /// controller or an operator with REVOKE.
    function hold(uint32 manufacturerId, Target[] calldata targets) external;

    /// @notice Ends holds; each is named by the `changedAt` of its record, so that no other hold can be meant.
    function unhold(uint32 manufacturerId, Target[] calldata targets, uint40[] calldata heldSince) external;

    /// @notice Sets status bits: 256 places of a batch with each word. Bits that are set stay set.
    function revokeWords(
        uint32 manufacturerId,
        uint32 series,
        uint32[] calldata wordIndices,
        uint256[] calldata masks,
        uint8 reason
    ) external;

    /// @notice Revokes all of a batch, for ever.
    function revokeBatch(uint32 manufacturerId, uint32 series, uint8 reason) external;

    /// @notice Puts all of a batch on hold.
    function holdBatch(uint32 manufacturerId, uint32 series) external;

    /// @notice Ends the hold on a batch that began at `heldSince`.
    function unholdBatch(uint32 manufacturerId, uint32 series, uint40 heldSince) external;

    /// @notice A device with a raw public key gives its credential up, submitted by anybody. Repeating it changes nothing.
    /// @dev (r, s) is the device key's signature, P-256 with SHA-256 and low s, over 0x1901 || domain separator || hash of
    /// `SelfRevocation(uint32 manufacturerId,bytes32 credentialHash,uint8 reason)`.
    /// @param payload The raw public key object's COSE payload; its SHA-256 is the credential hash.
    /// @param series The batch that the credential is in; 0: it has a record of its own.
    function revokeSelf(
        uint32 manufacturerId,
        bytes calldata payload,
        uint32 series,
        uint32 index,
        bytes32[] calldata proof,
        uint8 reason,
        bytes32 r,
        bytes32 s
    ) external;

    // -------------------------------------------------------------------------------------------------------------- views

    /// @notice The registry of manufacturers that this one asks.
    function manufacturers() external view returns (IManufacturerRegistry);

    /// @notice The longest list that a call may carry.
    function MAX_LIST() external view returns (uint256);

    /// @notice A batch; `size` is 0 if there is none.
    function batch(uint32 manufacturerId, uint32 series) external view returns (Batch memory);

    /// @notice What is recorded of a subject; zeros if nothing.
    function record(uint32 manufacturerId, bytes32 subject) external view returns (Record memory);

    /// @notice `count` status words of a batch, from `firstWord` on. Bit i of word w is the device at 256 w + i.
    function words(
        uint32 manufacturerId,
        uint32 series,
        uint256 firstWord,
        uint256 count
    ) external view returns (uint256[] memory);

    /// @notice The status of a credential in a batch, now. `Good` only if the manufacturer is active (or left later), the issuer
    /// key was not compromised when the batch was registered, the batch carries no mark, the bit is clear, neither the credential
    /// nor its key is marked, the batch has not ended, and the proof is right.
    /// @dev The caller must have hashed the credential's bytes itself, and taken the key id from them: a wrong key id hides the
    /// revocation of the key. A batch without {FLAG_BY_KEY} is an operator's word alone: verify the issuer key's signature on the
    /// certificate too, as every off-chain verifier does, or accept only batches with that flag; and accept a raw public key only
    /// from a batch with {FLAG_RAW_PUBLIC_KEYS}, a certificate only from one without.
    function statusOf(
        uint32 manufacturerId,
        uint32 series,
        uint256 index,
        bytes32 credentialHash,
        bytes32 deviceKeyId,
        bytes32[] calldata proof
    ) external view returns (Verdict memory);

    /// @notice The status of a credential that was registered by itself, now. See {statusOf}; where the record has no `notAfter`, the
    /// caller checks the credential's own.
    /// @dev The record is the word of the key or of an operator, and says nothing of what was signed: anybody can make a digest and a
    /// signature that fit a public key, if the digest need not be the hash of anything. Only the bytes that hash to
    /// `credentialHash`, and the issuer key's signature on them, show a certificate.
    function statusOfRecord(
        uint32 manufacturerId,
        bytes32 credentialHash,
        bytes32 deviceKeyId
    ) external view returns (Verdict memory);
}
