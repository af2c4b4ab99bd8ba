// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CredentialKind} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {IDeviceRegistry} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {Mark} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {Status} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {ISuccession} from "../../contracts/interfaces/ISuccession.sol";
import {KeyPurpose} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {PlainMerkleTree} from "./PlainMerkleTree.sol";
import {World} from "./helpers/World.sol";
import {vm} from "./helpers/Vm.sol";

/// @notice What the ledger says of a device, and a device's own word (K2-K4, R2, R5, R6, R8, S1, S6, I7).
contract DeviceStatusTest is World {
    uint32 private constant SIZE = 11;
    uint32 private constant SERIES = 4;
    bytes32 private constant DEVICE_KEY_ID = keccak256("device key");

    bytes32[] private leaves;
    bytes32 private root;

    function setUp() public {
        deployWithManufacturer();
        for (uint256 i = 0; i < SIZE; ++i) leaves.push(keccak256(abi.encode("leaf", i)));
        leaves[5] = sha256(payload(spkiOf(DEVICE)));
        root = PlainMerkleTree.root(leaves, 0, SIZE);
    }

    // -------------------------------------------------------------------------------------------------------------- proofs

    function test_statusOf_isGoodForEveryDeviceAtItsOwnPlaceOnly() public {
        uint40 since = register();
        for (uint32 index = 0; index < SIZE; ++index) {
            for (uint32 asked = 0; asked < SIZE + 6; ++asked) {
                IDeviceRegistry.Verdict memory verdict = devices.statusOf(
                    1,
                    SERIES,
                    asked,
                    leaves[index],
                    DEVICE_KEY_ID,
                    path(index)
                );
                bool own = asked == index;
                equal(uint8(verdict.status), uint8(own ? Status.Good : Status.Unknown), "own place only");
                equal(verdict.since, own ? since : 0, "since");
            }
        }
    }

    /// R6, R8: the same tree and proof under another manufacturer, series, size or registry.
    function test_statusOf_isUnknownAnywhereElse() public {
        register();
        admit(OUTSIDER);
        addKey(2, OUTSIDER, DEVICE, KeyPurpose.Issuer);
        statusIs(1, SERIES + 1, 3, Status.Unknown);
        statusIs(2, SERIES, 3, Status.Unknown);
        statusIs(9, SERIES, 3, Status.Unknown);
        statusIs(1, 0, 3, Status.Unknown);
        IDeviceRegistry.BatchInput memory input = batchInput(SERIES + 1, SIZE + 1, root);
        accept(OPERATOR, address(devices), registerBatchCall(input));
        // The path of the last leaf depends on the size; with another size the proof refuses.
        IDeviceRegistry.Verdict memory verdict = devices.statusOf(
            1,
            SERIES + 1,
            SIZE - 1,
            leaves[SIZE - 1],
            DEVICE_KEY_ID,
            path(SIZE - 1)
        );
        equal(uint8(verdict.status), uint8(Status.Unknown), "another size");
        // Huge indices do not wrap.
        verdict = devices.statusOf(1, SERIES, type(uint256).max, leaves[0], DEVICE_KEY_ID, path(0));
        equal(uint8(verdict.status), uint8(Status.Unknown), "no wrap");
        verdict = devices.statusOf(1, SERIES, uint256(1) << 32, leaves[0], DEVICE_KEY_ID, path(0));
        equal(uint8(verdict.status), uint8(Status.Unknown), "no wrap");
        // Another deployment knows nothing of it.
        IDeviceRegistry other = IDeviceRegistry(mustCreate(DEVICES, abi.encode(manufacturers, access)));
        verdict = other.statusOf(1, SERIES, 3, leaves[3], DEVICE_KEY_ID, path(3));
        equal(uint8(verdict.status), uint8(Status.Unknown), "another registry");
    }

    // ---------------------------------------------------------------------------------------------------------------- keys

    /// K2: anchored a second before the compromise: good; in the same second or later: refused. A date in a file cannot change it.
    function test_statusOf_atTheEdgeOfACompromise() public {
        uint40 registered = register();
        wait(100);
        accept(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.declareCompromise, (1, 1, registered + 1))
        );
        statusIs(1, SERIES, 3, Status.Good);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.declareCompromise, (1, 1, registered)));
        verdictIs(Status.Revoked, 2, registered);
        accept(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.declareCompromise, (1, 1, registered - 1))
        );
        verdictIs(Status.Revoked, 2, registered - 1);
    }

    /// K4: every key state x when anchored x how it is asked. Retired refuses new anchors only; compromised also voids from a time.
    function test_statusOfRecord_keyStatesAndAnchorTimes() public {
        uint40 start = time();
        bytes32[4] memory hashes;
        for (uint256 i = 0; i < 4; ++i) {
            hashes[i] = keccak256(abi.encode("record", i));
            vm.warp(start + i * 10);
            // The third is anchored in the second of the retirement, just before it.
            if (i == 3) {
                refuse(OPERATOR, address(devices), credential(hashes[i], FAR), notCurrent());
                continue;
            }
            accept(OPERATOR, address(devices), credential(hashes[i], FAR));
            if (i == 2) accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.revokeKey, (1, 2)));
        }
        recordIs(hashes[0], Status.Good, 0, start);
        recordIs(hashes[1], Status.Good, 0, start + 10);
        recordIs(hashes[2], Status.Unknown, 0, 0);
        recordIs(hashes[3], Status.Unknown, 0, 0);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.declareCompromise, (1, 2, start + 10)));
        recordIs(hashes[0], Status.Good, 0, start);
        recordIs(hashes[1], Status.Revoked, 2, start + 10);
        recordIs(hashes[2], Status.Revoked, 2, start + 10);
        vm.warp(start + 1_000 days);
        recordIs(hashes[0], Status.Good, 0, start);
        recordIs(hashes[1], Status.Revoked, 2, start + 10);
    }

    /// K9: suspended, nothing is good; it lapses; left, what came before stays good and what came in that second does not.
    function test_statusOf_followsTheManufacturer() public {
        uint40 registered = register();
        wait(10);
        uint40 suspended = time();
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        verdictIs(Status.OnHold, 6, suspended);
        wait(14 days - 1);
        verdictIs(Status.OnHold, 6, suspended);
        wait(1);
        verdictIs(Status.Good, 0, registered);
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(SERIES + 1, SIZE, root)));
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.resign, (1)));
        verdictIs(Status.Good, 0, registered);
        statusIs(1, SERIES + 1, 3, Status.Unknown);
        vm.warp(FAR);
        verdictIs(Status.Good, 0, registered);
    }

    /// S9: notAfter is inclusive.
    function test_statusOf_endsAfterItsLastSecond() public {
        uint40 registered = time();
        IDeviceRegistry.BatchInput memory input = batchInput(SERIES, SIZE, root);
        input.notAfter = registered + 100;
        accept(OPERATOR, address(devices), registerBatchCall(input));
        accept(OPERATOR, address(devices), credential(leaves[0], registered + 100));
        accept(OPERATOR, address(devices), credential(leaves[1], 0));
        vm.warp(registered + 100);
        verdictIs(Status.Good, 0, registered);
        recordIs(leaves[0], Status.Good, 0, registered);
        vm.warp(registered + 101);
        verdictIs(Status.Expired, 0, registered + 100);
        recordIs(leaves[0], Status.Expired, 0, registered + 100);
        // Without an end of its own the credential says it.
        recordIs(leaves[1], Status.Good, 0, registered);
        // Revoked wins over expired.
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(leaves[3]), 4, 0)));
        verdictIs(Status.Revoked, 4, registered + 101);
    }

    // --------------------------------------------------------------------------------------------------------------- marks

    /// I7: all sixteen ways in which a place, its batch, the credential and its key may be marked.
    function test_statusOf_revokedBeatsHeldBeatsGood() public {
        uint40 start = register();
        uint256 snapshot = 0;
        for (uint8 batchMark = 0; batchMark < 3; ++batchMark) {
            for (uint8 subjectMark = 0; subjectMark < 3; ++subjectMark) {
                for (uint8 keyMark = 0; keyMark < 3; ++keyMark) {
                    for (uint8 bit = 0; bit < 2; ++bit) {
                        checkCombination(uint32(100 + snapshot++), batchMark, subjectMark, keyMark, bit);
                    }
                }
            }
        }
        verdictIs(Status.Good, 0, start);
    }

    function checkCombination(uint32 series, uint8 batchMark, uint8 subjectMark, uint8 keyMark, uint8 bit) private {
        // A batch and credentials of its own for each combination, for marks follow credentials.
        bytes32[] memory own = leaves;
        own[3] = keccak256(abi.encode("own", series));
        bytes32 keyId = keccak256(abi.encode("own key", series));
        bytes32 ownRoot = PlainMerkleTree.root(own, 0, SIZE);
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(series, SIZE, ownRoot)));
        if (batchMark == 1) accept(OPERATOR, address(devices), abi.encodeCall(devices.holdBatch, (1, series)));
        if (batchMark == 2) accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeBatch, (1, series, 5)));
        mark(own[3], subjectMark, 1);
        mark(keyId, keyMark, 3);
        if (bit == 1) {
            accept(
                OPERATOR,
                address(devices),
                abi.encodeCall(devices.revokeWords, (1, series, list32(0), list256(1 << 3), 1))
            );
        }
        IDeviceRegistry.Verdict memory verdict = devices.statusOf(
            1,
            series,
            3,
            own[3],
            keyId,
            PlainMerkleTree.path(3, own, 0, SIZE)
        );
        bool revoked = batchMark == 2 || subjectMark == 2 || keyMark == 2 || bit == 1;
        bool held = batchMark == 1 || subjectMark == 1 || keyMark == 1;
        Status expected =
            revoked
                ? Status.Revoked
                : held
                    ? Status.OnHold
                    : Status.Good;
        equal(uint8(verdict.status), uint8(expected), "revoked, then held, then good");
        uint8 reason =
            batchMark == 2
                ? 5
                : subjectMark == 2
                    ? 1
                    : keyMark == 2
                        ? 3
                        : 0;
        equal(
            verdict.reason,
            revoked
                ? reason
                : held
                    ? 6
                    : 0,
            "reason"
        );
    }

    function mark(bytes32 subject, uint8 kind, uint8 reason) private {
        if (kind == 1) accept(OPERATOR, address(devices), abi.encodeCall(devices.hold, (1, target(subject))));
        if (kind == 2)
            accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(subject), reason, 0)));
    }

    /// R3: revoked by its hash, a credential stays revoked in every batch that it is ever put into.
    function test_revocation_followsTheCredentialAndTheKey() public {
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(leaves[3]), 1, 0)));
        uint40 revokedAt = time();
        wait(5);
        register();
        verdictIs(Status.Revoked, 1, revokedAt);
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(SERIES + 9, SIZE, root)));
        statusIs(1, SERIES + 9, 3, Status.Revoked);
        statusIs(1, SERIES + 9, 2, Status.Good);
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(DEVICE_KEY_ID), 1, 0)));
        statusIs(1, SERIES + 9, 2, Status.Revoked);
    }

    /// S6: registered and revoked in one second, in either order: never good.
    function test_sameSecond_isNeverGood() public {
        accept(OPERATOR, address(devices), credential(leaves[0], FAR));
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(leaves[0]), 1, 0)));
        recordIs(leaves[0], Status.Revoked, 1, time());
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(leaves[1]), 1, 0)));
        (bool ok, ) = callAs(OPERATOR, address(devices), credential(leaves[1], FAR));
        isTrue(!ok, "revoked first");
        // A key declared compromised in the second of the registration, and one retired in it.
        register();
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.revokeKey, (1, 1)));
        statusIs(1, SERIES, 3, Status.Unknown);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.declareCompromise, (1, 1, time())));
        statusIs(1, SERIES, 3, Status.Revoked);
    }

    // ---------------------------------------------------------------------------------------------------------- revokeSelf

    function test_revokeSelf_byInclusion() public {
        registerRaw();
        bytes memory call_ = selfCall(SERIES, 5, path(5), 1, signedSelf(1));
        accept(OUTSIDER, address(devices), call_);
        IDeviceRegistry.Record memory record = devices.record(1, leaves[5]);
        equal(uint8(record.mark), uint8(Mark.Revoked), "revoked");
        equal(record.reason, 1, "reason");
        equal(record.changedAt, time(), "now");
        equal(record.invalidityDate, 0, "no invalidity date");
        (bytes32 head, ) = devices.logHead(1);
        wait(3);
        accept(OUTSIDER, address(devices), call_);
        (bytes32 again, ) = devices.logHead(1);
        equal(head, again, "repeating changes nothing");
        statusIs(1, SERIES, 5, Status.Revoked);
        statusIs(1, SERIES, 4, Status.Good);
        // G7: it works while the manufacturer is suspended, too; see the fleet's walks.
    }

    function test_revokeSelf_byRecord() public {
        bytes memory call_ = selfCall(0, 0, new bytes32[](0), 4, signedSelf(4));
        refuse(OUTSIDER, address(devices), call_, unproven());
        accept(OPERATOR, address(devices), credential(leaves[5], 0));
        accept(OUTSIDER, address(devices), call_);
        recordIs(leaves[5], Status.Revoked, 4, time());
    }

    /// S5, X5: nobody else's word, no other statement, no other place.
    function test_revokeSelf_refusesEverythingElse() public {
        registerRaw();
        bytes32[2] memory signed = signedSelf(1);
        bytes memory badSignature = abi.encodeWithSelector(IDeviceRegistry.SignatureInvalid.selector, keyIdOf(DEVICE));
        // Another reason than the signed one, an unsigned one, one that does not exist.
        refuse(OUTSIDER, address(devices), selfCall(SERIES, 5, path(5), 4, signed), badSignature);
        refuse(
            OUTSIDER,
            address(devices),
            selfCall(SERIES, 5, path(5), 6, signed),
            abi.encodeWithSelector(IDeviceRegistry.ReasonInvalid.selector, 6)
        );
        refuse(
            OUTSIDER,
            address(devices),
            selfCall(SERIES, 5, path(5), 1, [signed[0], bytes32(N - uint256(signed[1]))]),
            badSignature
        );
        // Signed for another chain, registry or manufacturer, or by another key.
        bytes32[4] memory digests = [
            selfRevocationDigest(1, address(devices), 1, leaves[5], 1),
            selfRevocationDigest(block.chainid, address(manufacturers), 1, leaves[5], 1),
            selfRevocationDigest(block.chainid, address(devices), 2, leaves[5], 1),
            selfRevocationDigest(block.chainid, address(devices), 1, leaves[4], 1)
        ];
        for (uint256 i = 0; i < 4; ++i) {
            (bytes32 r, bytes32 s) = sign(DEVICE, digests[i]);
            refuse(OUTSIDER, address(devices), selfCall(SERIES, 5, path(5), 1, [r, s]), badSignature);
        }
        (bytes32 r2, bytes32 s2) = sign(ISSUER, selfRevocationDigest(block.chainid, address(devices), 1, leaves[5], 1));
        refuse(OUTSIDER, address(devices), selfCall(SERIES, 5, path(5), 1, [r2, s2]), badSignature);
        // Another place, proof, series or manufacturer.
        refuse(OUTSIDER, address(devices), selfCall(SERIES, 4, path(5), 1, signed), unproven());
        refuse(OUTSIDER, address(devices), selfCall(SERIES, 5, path(4), 1, signed), unproven());
        refuse(OUTSIDER, address(devices), selfCall(SERIES, 5, new bytes32[](0), 1, signed), unproven());
        refuse(OUTSIDER, address(devices), selfCall(SERIES + 1, 5, path(5), 1, signed), unproven());
        refuse(OUTSIDER, address(devices), selfCall(0, 5, path(5), 1, signed), unproven());
        // K12: a batch of certificates holds no raw keys, whatever its tree says.
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(SERIES + 1, SIZE, root)));
        refuse(OUTSIDER, address(devices), selfCall(SERIES + 1, 5, path(5), 1, signed), unproven());
        refuseLongerPayload(signed);
        equal(uint8(devices.record(1, leaves[5]).mark), 0, "nothing happened");
    }

    /// Another payload is another credential.
    function refuseLongerPayload(bytes32[2] memory signed) private {
        bytes memory longer = bytes.concat(payload(spkiOf(DEVICE)), hex"00");
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.revokeSelf, (1, longer, SERIES, 5, path(5), 1, signed[0], signed[1])),
            abi.encodeWithSelector(IDeviceRegistry.CredentialUnproven.selector, 1, sha256(longer))
        );
    }

    function test_revokeSelf_refusesWhatIsNoRawPublicKey() public {
        bytes memory good = payload(spkiOf(DEVICE));
        bytes memory wrongHead = payload(spkiOf(DEVICE));
        wrongHead[0] = 0x30;
        bytes memory wrongKey = payload(spkiOf(DEVICE));
        wrongKey[10] = 0xff;
        bytes[5] memory payloads = [bytes(""), hex"a401585b", cut(good, 94), wrongHead, wrongKey];
        for (uint256 i = 0; i < payloads.length; ++i) {
            bytes32 hash = sha256(payloads[i]);
            accept(OPERATOR, address(devices), credential(hash, 0));
            refuse(
                OUTSIDER,
                address(devices),
                abi.encodeCall(devices.revokeSelf, (1, payloads[i], 0, 0, new bytes32[](0), 1, 0, 0)),
                abi.encodeWithSelector(IDeviceRegistry.RawPublicKeyInvalid.selector)
            );
        }
        // A point off the curve signs nothing.
        bytes memory off = payload(spki(5, 1));
        accept(OPERATOR, address(devices), credential(sha256(off), 0));
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(
                devices.revokeSelf,
                (1, off, 0, 0, new bytes32[](0), 1, bytes32(uint256(1)), bytes32(uint256(1)))
            ),
            abi.encodeWithSelector(IDeviceRegistry.SignatureInvalid.selector, sha256(spki(5, 1)))
        );
        // Exactly 95 octets suffice: the rest is for others to read.
        bytes memory shortest = cut(good, 95);
        accept(OPERATOR, address(devices), credential(sha256(shortest), 0));
        (bytes32 r, bytes32 s) = sign(
            DEVICE,
            selfRevocationDigest(block.chainid, address(devices), 1, sha256(shortest), 1)
        );
        accept(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.revokeSelf, (1, shortest, 0, 0, new bytes32[](0), 1, r, s))
        );
    }

    // ---------------------------------------------------------------------------------------------------------- succession

    function test_succession_story() public {
        register();
        bytes memory propose = abi.encodeCall(devices.proposeSuccessor, (10, address(0x5cc), keccak256("code")));
        bytes memory name = abi.encodeCall(devices.nameSuccessor, ());
        refuse(CONSORTIUM, address(devices), name, abi.encodeWithSelector(ISuccession.SuccessorNotDue.selector, 0));
        address[4] memory others = [GUARDIAN, CONTROLLER, OPERATOR, OUTSIDER];
        for (uint256 i = 0; i < others.length; ++i) {
            (bool ok, ) = callAs(others[i], address(devices), propose);
            isTrue(!ok, "the consortium's alone");
            (ok, ) = callAs(others[i], address(devices), name);
            isTrue(!ok, "the consortium's alone");
        }
        bytes[3] memory incomplete = [
            abi.encodeCall(devices.proposeSuccessor, (0, address(0x5cc), keccak256("code"))),
            abi.encodeCall(devices.proposeSuccessor, (10, address(0), keccak256("code"))),
            abi.encodeCall(devices.proposeSuccessor, (10, address(0x5cc), 0))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            refuse(
                CONSORTIUM,
                address(devices),
                incomplete[i],
                abi.encodeWithSelector(ISuccession.SuccessorInvalid.selector)
            );
        }
        // A second proposal takes the place of the first, and starts anew.
        accept(
            CONSORTIUM,
            address(devices),
            abi.encodeCall(devices.proposeSuccessor, (1, OUTSIDER, keccak256("other")))
        );
        wait(30 days);
        accept(CONSORTIUM, address(devices), propose);
        uint40 due = time() + 30 days;
        (ISuccession.Successor memory proposal, uint40 dueAt) = devices.proposedSuccessor();
        equal(proposal.registry, address(0x5cc), "proposed");
        equal(dueAt, due, "due");
        refuse(CONSORTIUM, address(devices), name, abi.encodeWithSelector(ISuccession.SuccessorNotDue.selector, due));
        vm.warp(due - 1);
        refuse(CONSORTIUM, address(devices), name, abi.encodeWithSelector(ISuccession.SuccessorNotDue.selector, due));
        equal(devices.successor().registry, address(0), "not yet");
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(SERIES + 1, SIZE, root)));
        vm.warp(due);
        accept(CONSORTIUM, address(devices), name);
        equal(devices.successor().chainId, 10, "chain");
        equal(devices.successor().registry, address(0x5cc), "registry");
        equal(devices.successor().codeHash, keccak256("code"), "code hash");
        (proposal, dueAt) = devices.proposedSuccessor();
        equal(uint256(uint160(proposal.registry)) + dueAt, 0, "no proposal runs any more");
        bytes memory named = abi.encodeWithSelector(ISuccession.SuccessorAlreadyNamed.selector, 10, address(0x5cc));
        refuse(CONSORTIUM, address(devices), name, named);
        refuse(CONSORTIUM, address(devices), propose, named);

        // Registration has moved, through every door; revoking and holding go on.
        bytes memory moved = abi.encodeWithSelector(ISuccession.RegistrationMoved.selector, 10, address(0x5cc));
        refuse(OPERATOR, address(devices), registerBatchCall(batchInput(SERIES + 2, SIZE, root)), moved);
        refuse(
            OUTSIDER,
            address(devices),
            registerBatchForCall(batchInput(SERIES + 2, SIZE, root), CredentialKind.X509, ISSUER),
            moved
        );
        refuse(OPERATOR, address(devices), credential(leaves[1], FAR), moved);
        (bytes32 r, bytes32 s) = sign(OPEN_ISSUER, leaves[1]);
        refuse(OUTSIDER, address(devices), abi.encodeCall(devices.registerIssued, (1, 2, leaves[1], r, s)), moved);
        statusIs(1, SERIES, 3, Status.Good);
        accept(OPERATOR, address(devices), abi.encodeCall(devices.hold, (1, target(leaves[3]))));
        uint40 held = time();
        wait(1);
        accept(OPERATOR, address(devices), abi.encodeCall(devices.unhold, (1, target(leaves[3]), list40(held))));
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(leaves[3]), 1, 0)));
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeWords, (1, SERIES, list32(0), list256(1), 1)));
        accept(OPERATOR, address(devices), abi.encodeCall(devices.holdBatch, (1, SERIES)));
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeBatch, (1, SERIES, 1)));
        statusIs(1, SERIES, 3, Status.Revoked);
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function register() private returns (uint40) {
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(SERIES, SIZE, root)));
        return time();
    }

    function registerRaw() private {
        accept(
            OUTSIDER,
            address(devices),
            registerBatchForCall(batchInput(SERIES, SIZE, root), CredentialKind.RawPublicKey, ISSUER)
        );
    }

    function path(uint256 index) private view returns (bytes32[] memory) {
        return PlainMerkleTree.path(index, leaves, 0, SIZE);
    }

    function payload(bytes memory spki_) private pure returns (bytes memory) {
        return bytes.concat(hex"a401585b", spki_, hex"0200031affffffff0450", bytes16(keccak256("id")));
    }

    function cut(bytes memory data, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) part[i] = data[i];
    }

    function signedSelf(uint8 reason) private view returns (bytes32[2] memory) {
        (bytes32 r, bytes32 s) = sign(
            DEVICE,
            selfRevocationDigest(block.chainid, address(devices), 1, leaves[5], reason)
        );
        return [r, s];
    }

    function selfCall(
        uint32 series,
        uint32 index,
        bytes32[] memory proof,
        uint8 reason,
        bytes32[2] memory signature
    ) private view returns (bytes memory) {
        bytes memory payload_ = payload(spkiOf(DEVICE));
        return
            abi.encodeCall(devices.revokeSelf, (1, payload_, series, index, proof, reason, signature[0], signature[1]));
    }

    function credential(bytes32 hash, uint40 notAfter) private view returns (bytes memory) {
        return abi.encodeCall(devices.registerCredentials, (1, 2, list(hash), list40(notAfter)));
    }

    function notCurrent() private pure returns (bytes memory) {
        return abi.encodeWithSignature("KeyNotCurrent(uint32,uint32)", 1, 2);
    }

    function unproven() private view returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.CredentialUnproven.selector, 1, leaves[5]);
    }

    function statusIs(uint32 m, uint32 series, uint32 index, Status expected) private view {
        IDeviceRegistry.Verdict memory verdict = devices.statusOf(
            m,
            series,
            index,
            leaves[index],
            DEVICE_KEY_ID,
            path(index)
        );
        equal(uint8(verdict.status), uint8(expected), "status");
    }

    /// Of leaf 3 in the series.
    function verdictIs(Status status, uint8 reason, uint40 since) private view {
        check(devices.statusOf(1, SERIES, 3, leaves[3], DEVICE_KEY_ID, path(3)), status, reason, since);
    }

    function recordIs(bytes32 hash, Status status, uint8 reason, uint40 since) private view {
        check(devices.statusOfRecord(1, hash, DEVICE_KEY_ID), status, reason, since);
    }

    function check(IDeviceRegistry.Verdict memory verdict, Status status, uint8 reason, uint40 since) private pure {
        equal(uint8(verdict.status), uint8(status), "status");
        equal(verdict.reason, reason, "reason");
        equal(verdict.since, since, "since");
    }
}
