// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CredentialKind} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {IDeviceRegistry} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {Mark} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {IManufacturerRegistry} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {ManufacturerStatus} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {World} from "./helpers/World.sol";
import {vm} from "./helpers/Vm.sol";

/// @notice Batches: registration, marks, status bits (R1-R9, S1-S6, X5, K12).
contract DeviceRegistryBatchesTest is World {
    bytes32 private constant ROOT = keccak256("root");

    function setUp() public {
        deployWithManufacturer();
    }

    // ------------------------------------------------------------------------------------------------------- registration

    function test_registerBatch_recordsTheBatch() public {
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(7, 1_000_000, ROOT)));
        IDeviceRegistry.Batch memory b = devices.batch(1, 7);
        equal(b.root, ROOT, "root");
        equal(b.size, 1_000_000, "size");
        equal(b.keyIndex, 1, "key");
        equal(b.registeredAt, time(), "registered");
        equal(b.notAfter, FAR, "not after");
        equal(uint8(b.mark), uint8(Mark.None), "mark");
        equal(b.flags, 0, "flags");
        equal(uint256(b.revokedCount) + b.changedAt + b.reason, 0, "the rest");
        equal(devices.batch(1, 8).size, 0, "no other series");
        equal(devices.batch(2, 7).size, 0, "no other manufacturer");
    }

    function test_registerBatch_refusesBadInputInOrder() public {
        refuseBatch(OPERATOR, batchInput(1 << 31, 0, 0), IDeviceRegistry.SeriesInvalid.selector, 1 << 31);
        refuseBatch(
            OPERATOR,
            batchInput(type(uint32).max, 0, 0),
            IDeviceRegistry.SeriesInvalid.selector,
            type(uint32).max
        );
        refuse(
            OUTSIDER,
            address(devices),
            registerBatchCall(batchInput(0, 0, 0)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, OUTSIDER, 1)
        );
        IDeviceRegistry.BatchInput memory input = batchInput(0, 0, 0);
        input.keyIndex = 9;
        refuse(
            OPERATOR,
            address(devices),
            registerBatchCall(input),
            abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, 1, 9)
        );
        // K12: an open issuer's credentials have no batches.
        input.keyIndex = 2;
        refuse(
            OPERATOR,
            address(devices),
            registerBatchCall(input),
            abi.encodeWithSelector(IManufacturerRegistry.KeyPurposeWrong.selector, 1, 2, KeyPurpose.OpenIssuer)
        );
        refuseBatch(OPERATOR, batchInput(0, 0, 0), IDeviceRegistry.SeriesInvalid.selector, 0);
        refuse(
            OPERATOR,
            address(devices),
            registerBatchCall(batchInput(1, 0, 0)),
            abi.encodeWithSelector(IDeviceRegistry.RootZero.selector)
        );
        refuse(
            OPERATOR,
            address(devices),
            registerBatchCall(batchInput(1, 0, ROOT)),
            abi.encodeWithSelector(IDeviceRegistry.BatchEmpty.selector)
        );
        input = batchInput(1, 1, ROOT);
        input.notAfter = time() - 1;
        refuseBatch(OPERATOR, input, IDeviceRegistry.NotAfterPast.selector, time() - 1);
        input.notAfter = time();
        accept(OPERATOR, address(devices), registerBatchCall(input));
        refuse(
            CONTROLLER,
            address(devices),
            registerBatchCall(batchInput(1, 2, ~ROOT)),
            abi.encodeWithSelector(IDeviceRegistry.SeriesUsed.selector, 1, 1)
        );
        // The largest batch and the last open series.
        accept(CONTROLLER, address(devices), registerBatchCall(batchInput((1 << 31) - 1, type(uint32).max, ROOT)));
    }

    function testFuzz_registerBatch_aSeriesIsUsedOnceForEver(
        uint32 series,
        bytes32 first,
        bytes32 second,
        uint32 size,
        uint256 later
    ) public {
        series = uint32(between(series, 1, type(uint32).max));
        if (first == 0) first = ROOT;
        if (second == 0) second = ROOT;
        size = uint32(between(size, 1, type(uint32).max));
        accept(
            OUTSIDER,
            address(devices),
            registerBatchForCall(batchInput(series, size, first), CredentialKind.X509, ISSUER)
        );
        bytes32 before = keccak256(abi.encode(devices.batch(1, series)));
        vm.warp(between(later, time(), FAR - 1));
        (bool ok, ) = callAs(OPERATOR, address(devices), registerBatchCall(batchInput(series, size, second)));
        isTrue(!ok, "not by an operator");
        (ok, ) = callAs(
            OPERATOR,
            address(devices),
            registerBatchForCall(batchInput(series, size, second), CredentialKind.X509, ISSUER)
        );
        isTrue(ok == (first == second), "by the key: the same again, or nothing");
        equal(keccak256(abi.encode(devices.batch(1, series))), before, "nothing changed");
    }

    /// R7, I3: the same words by anybody, once or often, say the same; a front-runner gains nothing.
    function test_registerBatchFor_isTheKeysWordWhoeverBringsIt() public {
        bytes memory call_ = registerBatchForCall(batchInput(1 << 31, 10, ROOT), CredentialKind.RawPublicKey, ISSUER);
        accept(OUTSIDER, address(devices), call_);
        (bytes32 head, uint64 length) = devices.logHead(1);
        bytes32 state = keccak256(abi.encode(devices.batch(1, 1 << 31)));
        wait(5);
        accept(OPERATOR, address(devices), call_);
        accept(CONTROLLER, address(devices), call_);
        (bytes32 headAfter, uint64 lengthAfter) = devices.logHead(1);
        equal(head, headAfter, "nothing was logged");
        equal(length, lengthAfter, "nothing was logged");
        equal(keccak256(abi.encode(devices.batch(1, 1 << 31))), state, "nothing changed");
        equal(devices.batch(1, 1 << 31).flags, 3, "by key, raw public keys");

        refuse(
            OUTSIDER,
            address(devices),
            registerBatchForCall(batchInput(1 << 31, 10, ROOT), CredentialKind.X509, ISSUER),
            abi.encodeWithSelector(IDeviceRegistry.SeriesUsed.selector, 1, 1 << 31)
        );
        // What an operator registered is not what the key said.
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(5, 10, ROOT)));
        refuse(
            OUTSIDER,
            address(devices),
            registerBatchForCall(batchInput(5, 10, ROOT), CredentialKind.X509, ISSUER),
            abi.encodeWithSelector(IDeviceRegistry.SeriesUsed.selector, 1, 5)
        );
    }

    /// X5: each field, the chain, the contract, the purpose and the key are all signed.
    function test_registerBatchFor_refusesEveryOtherSignature() public {
        IDeviceRegistry.BatchInput memory input = batchInput(9, 100, ROOT);
        bytes32 keyId = keyIdOf(ISSUER);
        IDeviceRegistry.BatchInput[4] memory others = [input, input, input, input];
        for (uint256 i = 0; i < 4; ++i) others[i] = batchInput(9, 100, ROOT);
        others[0].series = 10;
        others[1].size = 101;
        others[2].root = ~ROOT;
        others[3].notAfter = FAR - 1;
        bytes32[9] memory digests;
        for (uint256 i = 0; i < 4; ++i) {
            digests[i] = batchDigest(block.chainid, address(devices), 1, others[i], keyId, 0);
        }
        digests[4] = batchDigest(block.chainid, address(devices), 2, input, keyId, 0);
        digests[5] = batchDigest(block.chainid, address(devices), 1, input, keyIdOf(DEVICE), 0);
        digests[6] = batchDigest(block.chainid, address(devices), 1, input, keyId, 1);
        digests[7] = batchDigest(1, address(devices), 1, input, keyId, 0);
        digests[8] = batchDigest(block.chainid, address(manufacturers), 1, input, keyId, 0);
        bytes memory invalid = abi.encodeWithSelector(IDeviceRegistry.SignatureInvalid.selector, keyId);
        bytes32 r;
        bytes32 s;
        for (uint256 i = 0; i < digests.length; ++i) {
            (r, s) = sign(ISSUER, digests[i]);
            refuse(OPERATOR, address(devices), forCall(input, r, s), invalid);
        }
        bytes32 digest = batchDigest(block.chainid, address(devices), 1, input, keyId, 0);
        (r, s) = sign(OPEN_ISSUER, digest);
        refuse(OPERATOR, address(devices), forCall(input, r, s), invalid);
        (r, s) = sign(ISSUER, digest);
        refuse(OPERATOR, address(devices), forCall(input, r, bytes32(N - uint256(s))), invalid);
        refuse(OPERATOR, address(devices), forCall(input, 0, 0), invalid);
        // The chain forks: the live chain id counts.
        vm.chainId(99);
        refuse(OPERATOR, address(devices), forCall(input, r, s), invalid);
        vm.chainId(31_337);
        // A kind that does not exist.
        bytes memory raw = forCall(input, r, s);
        raw[4 + 7 * 32 - 1] = 0x02;
        refuseAnyhow(OPERATOR, address(devices), raw);
        accept(OUTSIDER, address(devices), forCall(input, r, s));
    }

    function test_registerBatchFor_refusesBadInput() public {
        bytes[4] memory reasons = [
            abi.encodeWithSelector(IDeviceRegistry.SeriesInvalid.selector, 0),
            abi.encodeWithSelector(IDeviceRegistry.RootZero.selector),
            abi.encodeWithSelector(IDeviceRegistry.BatchEmpty.selector),
            abi.encodeWithSelector(IDeviceRegistry.NotAfterPast.selector, time() - 1)
        ];
        IDeviceRegistry.BatchInput[4] memory inputs = [
            batchInput(0, 1, ROOT),
            batchInput(1, 1, 0),
            batchInput(1, 0, ROOT),
            batchInput(1, 1, ROOT)
        ];
        inputs[3].notAfter = time() - 1;
        for (uint256 i = 0; i < 4; ++i) {
            refuse(
                OUTSIDER,
                address(devices),
                registerBatchForCall(inputs[i], CredentialKind.X509, ISSUER),
                reasons[i]
            );
        }
        IDeviceRegistry.BatchInput memory input = batchInput(1, 1, ROOT);
        input.keyIndex = 2;
        refuse(
            OUTSIDER,
            address(devices),
            registerBatchForCall(input, CredentialKind.X509, OPEN_ISSUER),
            abi.encodeWithSelector(IManufacturerRegistry.KeyPurposeWrong.selector, 1, 2, KeyPurpose.OpenIssuer)
        );
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        refuse(
            OUTSIDER,
            address(devices),
            registerBatchForCall(batchInput(1, 1, ROOT), CredentialKind.X509, ISSUER),
            abi.encodeWithSelector(
                IManufacturerRegistry.ManufacturerStatusWrong.selector,
                1,
                ManufacturerStatus.Suspended
            )
        );
    }

    /// I12: nothing is registered under a key that is not current.
    function test_registration_needsACurrentKey() public {
        accept(CONTROLLER, address(manufacturers), addKeyCall(1, DEVICE, KeyPurpose.Issuer, time() + 10, time() + 20));
        IDeviceRegistry.BatchInput memory input = batchInput(1, 1, ROOT);
        input.keyIndex = 3;
        bytes memory reason = abi.encodeWithSelector(IManufacturerRegistry.KeyNotCurrent.selector, 1, 3);
        uint40 start = time();
        uint40[4] memory moments = [start + 9, start + 10, start + 19, start + 20];
        for (uint32 i = 0; i < 4; ++i) {
            vm.warp(moments[i]);
            input.series = i + 1;
            bytes memory byOperator = registerBatchCall(input);
            input.series = i + 11;
            bytes memory byKey = registerBatchForCall(input, CredentialKind.X509, DEVICE);
            if (i == 1 || i == 2) {
                accept(OPERATOR, address(devices), byOperator);
                accept(OUTSIDER, address(devices), byKey);
            } else {
                refuse(OPERATOR, address(devices), byOperator, reason);
                refuse(OUTSIDER, address(devices), byKey, reason);
            }
        }
        vm.warp(start + 15);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.declareCompromise, (1, 3, start)));
        input.series = 90;
        refuse(OPERATOR, address(devices), registerBatchCall(input), reason);
    }

    // --------------------------------------------------------------------------------------------------------- status bits

    /// S2, I6, I13: the bits asked for are set, no other, and the count is theirs.
    function testFuzz_revokeWords_setsExactlyTheBits(
        uint256[3] memory masks,
        uint32[3] memory wordSeeds,
        uint32 sizeSeed
    ) public {
        uint32 size = uint32(between(sizeSeed, 1, 1_300));
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(3, size, ROOT)));
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(4, size, ROOT)));
        uint256[] memory model = new uint256[](7);
        for (uint256 i = 0; i < 3; ++i) {
            uint32 word = uint32(wordSeeds[i] % 7);
            uint256 valid = validBits(word, size);
            uint256 mask = i == 0 ? masks[i] : masks[i] & valid;
            bytes memory call_ = abi.encodeCall(devices.revokeWords, (1, 3, list32(word), list256(mask), uint8(i)));
            if (mask == 0) {
                refuse(
                    OPERATOR,
                    address(devices),
                    call_,
                    abi.encodeWithSelector(IDeviceRegistry.MaskEmpty.selector, word)
                );
            } else if (mask & ~valid != 0) {
                uint256 highest = 255;
                while (mask >> highest == 0) --highest;
                refuse(
                    OPERATOR,
                    address(devices),
                    call_,
                    abi.encodeWithSelector(
                        IDeviceRegistry.BatchIndexOutOfRange.selector,
                        uint256(word) * 256 + highest,
                        size
                    )
                );
            } else {
                accept(OPERATOR, address(devices), call_);
                model[word] |= mask;
            }
        }
        uint256[] memory found = devices.words(1, 3, 0, 7);
        uint256 set = 0;
        for (uint256 w = 0; w < 7; ++w) {
            equal(found[w], model[w], "word");
            for (uint256 i = 0; i < 256; ++i) set += (model[w] >> i) & 1;
        }
        equal(devices.batch(1, 3).revokedCount, set, "count");
        equal(devices.batch(1, 4).revokedCount, 0, "the other batch");
        equal(devices.words(1, 4, 0, 1)[0], 0, "the other batch");
    }

    /// I22: one bad entry and nothing of the list happens.
    function test_revokeWords_takesEffectWhollyOrNotAtAll() public {
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(3, 600, ROOT)));
        uint32[] memory indices = new uint32[](3);
        uint256[] memory masks = new uint256[](3);
        (indices[0], indices[1], indices[2]) = (0, 1, 2);
        (masks[0], masks[1], masks[2]) = (1, 2, 1 << 88);
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.revokeWords, (1, 3, indices, masks, 1)),
            abi.encodeWithSelector(IDeviceRegistry.BatchIndexOutOfRange.selector, 600, 600)
        );
        equal(devices.words(1, 3, 0, 1)[0], 0, "nothing happened");
        masks[2] = 1 << 87;
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeWords, (1, 3, indices, masks, 1)));
        equal(devices.batch(1, 3).revokedCount, 3, "all of it");
        // The same word twice in one list, and bits that are set already.
        indices[2] = 0;
        (masks[0], masks[1], masks[2]) = (3, 2, 7);
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeWords, (1, 3, indices, masks, 1)));
        equal(devices.batch(1, 3).revokedCount, 5, "each bit counts once");
        (bytes32 head, ) = devices.logHead(1);
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeWords, (1, 3, indices, masks, 1)));
        (bytes32 again, ) = devices.logHead(1);
        equal(head, again, "nothing new, nothing logged");
    }

    function test_revokeWords_refusesBadInputInOrder() public {
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(3, 600, ROOT)));
        refuseWords(0, 0, 3, 6, lengthInvalid(0));
        refuseWords(513, 513, 3, 6, lengthInvalid(513));
        refuseWords(2, 1, 3, 6, lengthInvalid(2));
        refuseWords(1, 2, 3, 6, lengthInvalid(1));
        refuseWords(1, 1, 9, 6, abi.encodeWithSelector(IDeviceRegistry.ReasonInvalid.selector, 6));
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.revokeWords, (1, 9, new uint32[](1), new uint256[](1), 0)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, OUTSIDER, 2)
        );
        refuseWords(1, 1, 9, 0, abi.encodeWithSelector(IDeviceRegistry.BatchUnknown.selector, 1, 9));
        refuseWords(1, 1, 3, 0, abi.encodeWithSelector(IDeviceRegistry.MaskEmpty.selector, 0));
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.revokeWords, (1, 3, list32(type(uint32).max), list256(1 << 255), 0)),
            abi.encodeWithSelector(
                IDeviceRegistry.BatchIndexOutOfRange.selector,
                uint256(type(uint32).max) * 256 + 255,
                600
            )
        );
    }

    function test_words_readsAnything() public {
        equal(devices.words(1, 3, 0, 0).length, 0, "none");
        equal(devices.words(9, 9, type(uint256).max, 1)[0], 0, "far away");
        refuseAnyhow(OUTSIDER, address(devices), abi.encodeCall(devices.words, (1, 3, type(uint256).max, 2)));
    }

    // --------------------------------------------------------------------------------------------------------- batch marks

    function test_batchMarks_story() public {
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(3, 600, ROOT)));
        bytes memory hold = abi.encodeCall(devices.holdBatch, (1, 3));
        uint40 first = time();
        accept(OPERATOR, address(devices), hold);
        equal(uint8(devices.batch(1, 3).mark), uint8(Mark.Held), "held");
        equal(devices.batch(1, 3).reason, 6, "certificateHold");
        equal(devices.batch(1, 3).changedAt, first, "since");
        refuse(OPERATOR, address(devices), hold, marked(Mark.Held, first));
        wait(1);
        refuse(OPERATOR, address(devices), unholdCall(first + 1), notHeld(first + 1));
        refuse(OPERATOR, address(devices), unholdCall(0), notHeld(0));
        accept(OPERATOR, address(devices), unholdCall(first));
        equal(uint8(devices.batch(1, 3).mark), uint8(Mark.None), "released");
        equal(devices.batch(1, 3).reason, 0, "no reason");
        // S4: the old unhold does not end the next hold.
        wait(1);
        accept(OPERATOR, address(devices), hold);
        uint40 second = time();
        refuse(OPERATOR, address(devices), unholdCall(first), notHeld(first));
        wait(1);
        uint40 third = time();
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeBatch, (1, 3, 2)));
        refuse(OPERATOR, address(devices), unholdCall(second), notHeld(second));
        refuse(OPERATOR, address(devices), unholdCall(third), notHeld(third));
        refuse(OPERATOR, address(devices), hold, marked(Mark.Revoked, third));
        refuse(OPERATOR, address(devices), abi.encodeCall(devices.revokeBatch, (1, 3, 1)), marked(Mark.Revoked, third));
        equal(devices.batch(1, 3).reason, 2, "the first reason stands");
        // Bits can still be set below a revoked batch.
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revokeWords, (1, 3, list32(0), list256(1), 1)));
    }

    function test_batchMarks_refuseBadInput() public {
        bytes memory unknown = abi.encodeWithSelector(IDeviceRegistry.BatchUnknown.selector, 1, 3);
        refuse(OPERATOR, address(devices), abi.encodeCall(devices.holdBatch, (1, 3)), unknown);
        refuse(OPERATOR, address(devices), unholdCall(0), unknown);
        refuse(OPERATOR, address(devices), abi.encodeCall(devices.revokeBatch, (1, 3, 0)), unknown);
        accept(OPERATOR, address(devices), registerBatchCall(batchInput(3, 600, ROOT)));
        bytes memory unauthorized = abi.encodeWithSelector(
            IManufacturerRegistry.AccountUnauthorized.selector,
            1,
            OUTSIDER,
            2
        );
        refuse(OUTSIDER, address(devices), abi.encodeCall(devices.holdBatch, (1, 3)), unauthorized);
        refuse(OUTSIDER, address(devices), unholdCall(0), unauthorized);
        refuse(OUTSIDER, address(devices), abi.encodeCall(devices.revokeBatch, (1, 3, 0)), unauthorized);
        for (uint8 reason = 0; reason < 20; ++reason) {
            bool valid = reason <= 5 || reason == 9 || reason == 10;
            uint256 series = uint256(reason) + 100;
            accept(OPERATOR, address(devices), registerBatchCall(batchInput(uint32(series), 1, ROOT)));
            bytes memory call_ = abi.encodeCall(devices.revokeBatch, (1, uint32(series), reason));
            if (valid) accept(OPERATOR, address(devices), call_);
            else
                refuse(
                    OPERATOR,
                    address(devices),
                    call_,
                    abi.encodeWithSelector(IDeviceRegistry.ReasonInvalid.selector, reason)
                );
        }
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function refuseBatch(address actor, IDeviceRegistry.BatchInput memory input, bytes4 reason, uint256 value) private {
        refuse(actor, address(devices), registerBatchCall(input), abi.encodeWithSelector(reason, value));
    }

    function refuseWords(uint256 indices, uint256 masks, uint32 series, uint8 reason, bytes memory expected) private {
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.revokeWords, (1, series, new uint32[](indices), new uint256[](masks), reason)),
            expected
        );
    }

    function forCall(
        IDeviceRegistry.BatchInput memory input,
        bytes32 r,
        bytes32 s
    ) private view returns (bytes memory) {
        return abi.encodeCall(devices.registerBatchFor, (1, input, CredentialKind.X509, r, s));
    }

    function unholdCall(uint40 heldSince) private view returns (bytes memory) {
        return abi.encodeCall(devices.unholdBatch, (1, 3, heldSince));
    }

    function lengthInvalid(uint256 length) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.ListLengthInvalid.selector, length, 512);
    }

    function marked(Mark mark, uint40 since) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.BatchAlreadyMarked.selector, 1, 3, mark, since);
    }

    function notHeld(uint40 since) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.BatchNotHeld.selector, 1, 3, since);
    }

    function validBits(uint256 word, uint256 size) private pure returns (uint256 bits) {
        for (uint256 i = 0; i < 256; ++i) if (word * 256 + i < size) bits |= 1 << i;
    }
}

/// @notice Credentials by themselves, and the marks that follow a subject everywhere (R3, R7, S1, S4, S5, X3, K12).
contract DeviceRegistryRecordsTest is World {
    bytes32 private constant DEVICE_ONE = keccak256("device one");

    function setUp() public {
        deployWithManufacturer();
    }

    function test_registerCredentials_recordsEach() public {
        bytes32[] memory hashes = new bytes32[](2);
        uint40[] memory ends = new uint40[](2);
        (hashes[0], hashes[1]) = (DEVICE_ONE, keccak256("device two"));
        (ends[0], ends[1]) = (time(), 0);
        accept(OPERATOR, address(devices), abi.encodeCall(devices.registerCredentials, (1, 2, hashes, ends)));
        for (uint256 i = 0; i < 2; ++i) {
            IDeviceRegistry.Record memory r = devices.record(1, hashes[i]);
            equal(r.registeredAt, time(), "registered");
            equal(r.notAfter, ends[i], "not after");
            equal(r.keyIndex, 2, "key");
            equal(uint256(uint8(r.mark)) + r.changedAt + r.reason + r.invalidityDate, 0, "no mark");
        }
        equal(devices.record(2, DEVICE_ONE).registeredAt, 0, "not another manufacturer's");
    }

    function test_registerCredentials_refusesBadInputInOrder() public {
        bytes32[] memory one = list(DEVICE_ONE);
        refuse(OUTSIDER, address(devices), credentials(2, new bytes32[](0), new uint40[](0)), lengthInvalid(0));
        refuse(OUTSIDER, address(devices), credentials(2, new bytes32[](513), new uint40[](513)), lengthInvalid(513));
        refuse(OUTSIDER, address(devices), credentials(2, new bytes32[](1), new uint40[](2)), lengthInvalid(1));
        refuse(
            OUTSIDER,
            address(devices),
            credentials(2, one, list40(0)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, OUTSIDER, 1)
        );
        // K12: an issuer's credentials live in batches only.
        refuse(
            OPERATOR,
            address(devices),
            credentials(1, one, list40(0)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyPurposeWrong.selector, 1, 1, KeyPurpose.Issuer)
        );
        refuse(
            OPERATOR,
            address(devices),
            credentials(2, one, list40(time() - 1)),
            abi.encodeWithSelector(IDeviceRegistry.NotAfterPast.selector, time() - 1)
        );
        refuse(
            OPERATOR,
            address(devices),
            credentials(2, list(0), list40(0)),
            abi.encodeWithSelector(IDeviceRegistry.SubjectZero.selector)
        );
        addKey(1, CONTROLLER, DEVICE, KeyPurpose.OpenIssuer);
        accept(OPERATOR, address(devices), credentials(2, one, list40(FAR)));
        refuse(
            OPERATOR,
            address(devices),
            credentials(3, one, list40(FAR)),
            abi.encodeWithSelector(IDeviceRegistry.CredentialAlreadyRegistered.selector, 1, DEVICE_ONE, 2)
        );
    }

    /// A list goes through although somebody registered one of it first; nothing about that one changes.
    function test_registerCredentials_cannotBeHeldUpByTheDevices() public {
        (bytes32 r, bytes32 s) = sign(OPEN_ISSUER, DEVICE_ONE);
        accept(OUTSIDER, address(devices), abi.encodeCall(devices.registerIssued, (1, 2, DEVICE_ONE, r, s)));
        uint40 first = time();
        wait(7);
        bytes32[] memory hashes = new bytes32[](3);
        (hashes[0], hashes[1], hashes[2]) = (keccak256("a"), DEVICE_ONE, keccak256("b"));
        uint40[] memory ends = new uint40[](3);
        (ends[0], ends[1], ends[2]) = (FAR, FAR, FAR);
        accept(OPERATOR, address(devices), credentials(2, hashes, ends));
        equal(devices.record(1, DEVICE_ONE).registeredAt, first, "the first registration stands");
        equal(devices.record(1, DEVICE_ONE).notAfter, 0, "as it was");
        equal(devices.record(1, hashes[2]).registeredAt, first + 7, "the rest is registered");
        (, uint64 length) = devices.logHead(1);
        equal(length, 3, "one entry for each");
        // And again: a list may be sent twice, and a repeated item is one.
        hashes[0] = hashes[2];
        accept(OPERATOR, address(devices), credentials(2, hashes, ends));
        (, length) = devices.logHead(1);
        equal(length, 3, "nothing new");
    }

    /// R3, I5: a marked subject is not registered again, under whatever key.
    function test_registration_refusesMarkedSubjects() public {
        accept(OPERATOR, address(devices), revokeCall(DEVICE_ONE, 1));
        bytes memory revoked = abi.encodeWithSelector(
            IDeviceRegistry.SubjectAlreadyMarked.selector,
            1,
            DEVICE_ONE,
            Mark.Revoked,
            time()
        );
        refuse(OPERATOR, address(devices), credentials(2, list(DEVICE_ONE), list40(0)), revoked);
        (bytes32 r, bytes32 s) = sign(OPEN_ISSUER, DEVICE_ONE);
        refuse(OUTSIDER, address(devices), abi.encodeCall(devices.registerIssued, (1, 2, DEVICE_ONE, r, s)), revoked);

        bytes32 other = keccak256("held");
        accept(OPERATOR, address(devices), abi.encodeCall(devices.hold, (1, target(other))));
        refuse(
            OPERATOR,
            address(devices),
            credentials(2, list(other), list40(0)),
            abi.encodeWithSelector(IDeviceRegistry.SubjectAlreadyMarked.selector, 1, other, Mark.Held, time())
        );
        // After the hold it may be registered, and the record keeps when the hold ended.
        accept(OPERATOR, address(devices), abi.encodeCall(devices.unhold, (1, target(other), list40(time()))));
        uint40 released = time();
        wait(3);
        accept(OPERATOR, address(devices), credentials(2, list(other), list40(0)));
        equal(devices.record(1, other).changedAt, released, "the end of the hold");
        equal(devices.record(1, other).registeredAt, released + 3, "registered");
    }

    /// R7, X3: by the certificate's own signature, by anybody, with the same effect, once.
    function test_registerIssued_isTheCertificatesOwnWord() public {
        (bytes32 r, bytes32 s) = sign(OPEN_ISSUER, DEVICE_ONE);
        bytes memory call_ = abi.encodeCall(devices.registerIssued, (1, 2, DEVICE_ONE, r, s));
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.registerIssued, (1, 2, DEVICE_ONE, r, bytes32(N - uint256(s)))),
            abi.encodeWithSelector(IDeviceRegistry.SignatureInvalid.selector, keyIdOf(OPEN_ISSUER))
        );
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.registerIssued, (1, 2, ~DEVICE_ONE, r, s)),
            abi.encodeWithSelector(IDeviceRegistry.SignatureInvalid.selector, keyIdOf(OPEN_ISSUER))
        );
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.registerIssued, (1, 1, DEVICE_ONE, r, s)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyPurposeWrong.selector, 1, 1, KeyPurpose.Issuer)
        );
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.registerIssued, (1, 2, 0, r, s)),
            abi.encodeWithSelector(IDeviceRegistry.SignatureInvalid.selector, keyIdOf(OPEN_ISSUER))
        );
        (bytes32 rZero, bytes32 sZero) = sign(OPEN_ISSUER, 0);
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.registerIssued, (1, 2, 0, rZero, sZero)),
            abi.encodeWithSelector(IDeviceRegistry.SubjectZero.selector)
        );
        accept(OUTSIDER, address(devices), call_);
        uint40 first = time();
        (bytes32 head, ) = devices.logHead(1);
        wait(9);
        accept(OPERATOR, address(devices), call_);
        // Its twin, or any other signature, changes nothing either: there is nothing left to authorise.
        accept(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.registerIssued, (1, 2, DEVICE_ONE, r, bytes32(N - uint256(s))))
        );
        (bytes32 again, ) = devices.logHead(1);
        equal(head, again, "nothing was logged");
        equal(devices.record(1, DEVICE_ONE).registeredAt, first, "once");
        equal(devices.record(1, DEVICE_ONE).notAfter, 0, "whoever submits it cannot set an end");
        // Revoked since: repeating does not bring it back.
        accept(OPERATOR, address(devices), revokeCall(DEVICE_ONE, 1));
        accept(OUTSIDER, address(devices), call_);
        equal(uint8(devices.record(1, DEVICE_ONE).mark), uint8(Mark.Revoked), "revoked");
        // Another manufacturer's key is none of this one's.
        admit(OUTSIDER);
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.registerIssued, (2, 2, DEVICE_ONE, r, s)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, 2, 2)
        );
    }

    // --------------------------------------------------------------------------------------------------------------- marks

    /// S1, S4: whatever is tried afterwards, and in whatever order, revoked stays revoked.
    function testFuzz_marks_revokedWinsInEveryOrder(uint8[8] memory steps, uint8[8] memory pauses) public {
        bool revoked = false;
        bool held = false;
        uint40 changed = 0;
        for (uint256 i = 0; i < steps.length; ++i) {
            wait(pauses[i] % 3);
            bytes memory call_;
            bool expected = true;
            uint8 kind = steps[i] % 6;
            if (kind == 0) call_ = revokeCall(DEVICE_ONE, 1);
            if (kind == 1) {
                call_ = abi.encodeCall(devices.hold, (1, target(DEVICE_ONE)));
                expected = !held;
            }
            if (kind == 2) {
                call_ = abi.encodeCall(devices.unhold, (1, target(DEVICE_ONE), list40(changed)));
                expected = held;
            }
            if (kind == 3) {
                call_ = abi.encodeCall(devices.unhold, (1, target(DEVICE_ONE), list40(changed + 1)));
                expected = false;
            }
            if (kind == 4) {
                call_ = credentials(2, list(DEVICE_ONE), list40(0));
                expected = devices.record(1, DEVICE_ONE).registeredAt != 0 || (!held && !revoked);
            }
            if (kind == 5) {
                (bytes32 r, bytes32 s) = sign(OPEN_ISSUER, DEVICE_ONE);
                call_ = abi.encodeCall(devices.registerIssued, (1, 2, DEVICE_ONE, r, s));
                expected = devices.record(1, DEVICE_ONE).registeredAt != 0 || (!held && !revoked);
            }
            (bool ok, ) = callAs(OPERATOR, address(devices), call_);
            isTrue(ok == expected, "accepted or not");
            if (ok && !revoked && kind < 3) {
                changed = time();
                revoked = kind == 0;
                held = kind == 1;
            }
            IDeviceRegistry.Record memory found = devices.record(1, DEVICE_ONE);
            equal(
                uint8(found.mark),
                uint8(
                    revoked
                        ? Mark.Revoked
                        : held
                            ? Mark.Held
                            : Mark.None
                ),
                "mark"
            );
            equal(found.changedAt, changed, "since");
            equal(
                found.reason,
                revoked
                    ? 1
                    : held
                        ? 6
                        : 0,
                "reason"
            );
        }
    }

    function test_revoke_recordsReasonAndInvalidityDate() public {
        accept(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.revoke, (1, target(DEVICE_ONE, 4, 77), 1, time() - 500))
        );
        IDeviceRegistry.Record memory r = devices.record(1, DEVICE_ONE);
        equal(uint8(r.mark), uint8(Mark.Revoked), "mark");
        equal(r.reason, 1, "reason");
        equal(r.invalidityDate, time() - 500, "invalidity date");
        equal(r.registeredAt, 0, "not registered");
        uint40 first = time();
        wait(4);
        accept(OPERATOR, address(devices), abi.encodeCall(devices.revoke, (1, target(DEVICE_ONE), 5, time())));
        equal(devices.record(1, DEVICE_ONE).changedAt, first, "the first time stands");
        equal(devices.record(1, DEVICE_ONE).reason, 1, "the first reason stands");
        equal(uint8(devices.record(2, DEVICE_ONE).mark), 0, "another manufacturer's word is its own");
    }

    function test_revoke_refusesBadInputInOrder() public {
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.revoke, (1, new IDeviceRegistry.Target[](0), 6, 0)),
            lengthInvalid(0)
        );
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.revoke, (1, new IDeviceRegistry.Target[](513), 6, 0)),
            lengthInvalid(513)
        );
        for (uint256 reason = 0; reason < 256; ++reason) {
            if (reason <= 5 || reason == 9 || reason == 10) continue;
            refuse(
                OUTSIDER,
                address(devices),
                abi.encodeCall(devices.revoke, (1, target(DEVICE_ONE), uint8(reason), time() + 1)),
                abi.encodeWithSelector(IDeviceRegistry.ReasonInvalid.selector, reason)
            );
        }
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.revoke, (1, target(DEVICE_ONE), 1, time() + 1)),
            abi.encodeWithSelector(IDeviceRegistry.InvalidityDateInvalid.selector, time() + 1)
        );
        bytes memory unauthorized = abi.encodeWithSelector(
            IManufacturerRegistry.AccountUnauthorized.selector,
            1,
            OUTSIDER,
            2
        );
        refuse(OUTSIDER, address(devices), revokeCall(DEVICE_ONE, 1), unauthorized);
        refuse(OUTSIDER, address(devices), abi.encodeCall(devices.hold, (1, target(DEVICE_ONE))), unauthorized);
        refuse(
            OUTSIDER,
            address(devices),
            abi.encodeCall(devices.unhold, (1, target(DEVICE_ONE), list40(0))),
            unauthorized
        );
        bytes memory zero = abi.encodeWithSelector(IDeviceRegistry.SubjectZero.selector);
        refuse(OPERATOR, address(devices), revokeCall(0, 1), zero);
        refuse(OPERATOR, address(devices), abi.encodeCall(devices.hold, (1, target(0))), zero);
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.unhold, (1, target(0), list40(0))),
            abi.encodeWithSelector(IDeviceRegistry.SubjectNotHeld.selector, 1, 0, 0)
        );
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.unhold, (1, target(DEVICE_ONE), new uint40[](2))),
            lengthInvalid(1)
        );
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.hold, (1, new IDeviceRegistry.Target[](0))),
            lengthInvalid(0)
        );
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.hold, (1, new IDeviceRegistry.Target[](513))),
            lengthInvalid(513)
        );
    }

    /// K1: each right opens its own door.
    function test_operators_haveTheirOwnRightsOnly() public {
        address registrar = address(0x11);
        address revoker = address(0x12);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.setOperator, (1, registrar, 5, FAR)));
        accept(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.setOperator, (1, revoker, 6, time() + 100))
        );
        refuse(
            registrar,
            address(devices),
            revokeCall(DEVICE_ONE, 1),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, registrar, 2)
        );
        refuse(
            revoker,
            address(devices),
            credentials(2, list(DEVICE_ONE), list40(0)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, revoker, 1)
        );
        accept(registrar, address(devices), credentials(2, list(DEVICE_ONE), list40(0)));
        wait(99);
        accept(revoker, address(devices), revokeCall(DEVICE_ONE, 1));
        wait(1);
        refuse(
            revoker,
            address(devices),
            revokeCall(keccak256("next"), 1),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, revoker, 2)
        );
    }

    /// I22, and a device that revokes itself just before cannot make an operator's hold fail.
    function test_hold_passesOverTheRevoked() public {
        accept(OPERATOR, address(devices), revokeCall(DEVICE_ONE, 1));
        uint40 first = time();
        wait(1);
        IDeviceRegistry.Target[] memory targets = new IDeviceRegistry.Target[](3);
        targets[0].subject = keccak256("a");
        targets[1].subject = DEVICE_ONE;
        targets[2].subject = keccak256("b");
        accept(OPERATOR, address(devices), abi.encodeCall(devices.hold, (1, targets)));
        equal(uint8(devices.record(1, targets[2].subject).mark), uint8(Mark.Held), "held");
        equal(uint8(devices.record(1, DEVICE_ONE).mark), uint8(Mark.Revoked), "revoked stays revoked");
        equal(devices.record(1, DEVICE_ONE).changedAt, first, "as it was");
        targets[0].subject = keccak256("c");
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.hold, (1, targets)),
            abi.encodeWithSelector(
                IDeviceRegistry.SubjectAlreadyMarked.selector,
                1,
                targets[2].subject,
                Mark.Held,
                first + 1
            )
        );
        equal(uint8(devices.record(1, targets[0].subject).mark), 0, "nothing of the list happened");
    }

    function test_lists_takeEffectWhollyOrNotAtAll() public {
        IDeviceRegistry.Target[] memory targets = new IDeviceRegistry.Target[](2);
        targets[0].subject = DEVICE_ONE;
        refuse(
            OPERATOR,
            address(devices),
            abi.encodeCall(devices.revoke, (1, targets, 1, 0)),
            abi.encodeWithSelector(IDeviceRegistry.SubjectZero.selector)
        );
        equal(uint8(devices.record(1, DEVICE_ONE).mark), 0, "nothing happened");
        (, uint64 length) = devices.logHead(1);
        equal(length, 0, "nothing was logged");
    }

    /// G7: a suspended manufacturer, and one that left, can still revoke and hold.
    function test_revoking_worksWhateverTheStatus() public {
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        accept(OPERATOR, address(devices), revokeCall(DEVICE_ONE, 1));
        accept(OPERATOR, address(devices), abi.encodeCall(devices.hold, (1, target(keccak256("a")))));
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.resume, (1)));
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.resign, (1)));
        accept(OPERATOR, address(devices), revokeCall(keccak256("a"), 1));
        accept(CONTROLLER, address(devices), revokeCall(keccak256("b"), 1));
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function revokeCall(bytes32 subject, uint8 reason) private view returns (bytes memory) {
        return abi.encodeCall(devices.revoke, (1, target(subject), reason, 0));
    }

    function credentials(
        uint32 keyIndex,
        bytes32[] memory hashes,
        uint40[] memory ends
    ) private view returns (bytes memory) {
        return abi.encodeCall(devices.registerCredentials, (1, keyIndex, hashes, ends));
    }

    function lengthInvalid(uint256 length) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.ListLengthInvalid.selector, length, 512);
    }
}
