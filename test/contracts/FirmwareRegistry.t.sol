// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IFirmwareRegistry} from "../../contracts/interfaces/IFirmwareRegistry.sol";
import {Installability} from "../../contracts/interfaces/IFirmwareRegistry.sol";
import {IManufacturerRegistry} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {ManufacturerStatus} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {ISuccession} from "../../contracts/interfaces/ISuccession.sol";
import {FirmwareFixture} from "./helpers/FirmwareFixture.sol";
import {FirmwareReplay} from "./helpers/FirmwareReplay.sol";
import {vm} from "./helpers/Vm.sol";

contract FirmwareRegistryTest is FirmwareFixture {
    address private constant CONTROLLER = address(0xC0);
    address private constant OTHER_CONTROLLER = address(0xC1);
    address private constant OPERATOR = address(0x0A);
    address private constant WEAK_OPERATOR = address(0x0B);
    address private constant EXPIRED_OPERATOR = address(0x0C);
    address private constant OUTSIDER = address(0xBAD);

    bytes32 private constant PRODUCT = "acme-9271";
    bytes32 private constant OTHER_PRODUCT = "acme-9272";
    uint8 private constant RIGHT_RELEASE = 4;

    /// Manufacturer 1: keys 1 to 5 are for firmware and current, their secrets 101 to 105; key 6, secret 106, is an issuer key.
    /// Manufacturer 2: key 1, secret 201, is for firmware.
    uint32 private constant ACME = 1;
    uint32 private constant OTHER = 2;

    function setUp() public {
        _deploy();
        manufacturers.admit(CONTROLLER, "Acme", "");
        manufacturers.admit(OTHER_CONTROLLER, "Other", "");
        for (uint256 i = 1; i <= 5; ++i) _addKey(ACME, CONTROLLER, 100 + i, KeyPurpose.Firmware, FAR);
        _addKey(ACME, CONTROLLER, 106, KeyPurpose.Issuer, FAR);
        _addKey(OTHER, OTHER_CONTROLLER, 201, KeyPurpose.Firmware, FAR);
        _setOperator(OPERATOR, RIGHT_RELEASE, FAR);
        _setOperator(WEAK_OPERATOR, 3, FAR);
        _setOperator(EXPIRED_OPERATOR, RIGHT_RELEASE, clock + KEY_DELAY);
        _wait(KEY_DELAY);
    }

    // --------------------------------------------------------------------------------------------------------- publishing

    function test_publish_recordsWhatWasSigned() public {
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        vm.prank(OUTSIDER);
        _accepted(_publish(ACME, input, _signed(input, 7)), "three signatures, sent by anybody");

        IFirmwareRegistry.Release memory found = firmware.release(ACME, PRODUCT, 1);
        _same(found.securityVersion, 1, "security version");
        _same(found.imageDigest, input.imageDigest, "image digest");
        _same(found.manifestDigest, input.manifestDigest, "manifest digest");
        _same(found.releasedAt, clock, "released at");
        _same(found.recalledAt, 0, "recalled at");
        _same(found.threshold, 1, "threshold");
        _same(found.signers.length, 3, "signers");
        for (uint32 i = 0; i < 3; ++i) _same(found.signers[i], i + 1, "signer");

        bytes32 expected = keccak256(abi.encode(found));
        _same(keccak256(abi.encode(firmware.releaseByImage(ACME, PRODUCT, input.imageDigest))), expected, "by image");
        _same(keccak256(abi.encode(firmware.latest(ACME, PRODUCT))), expected, "latest");
        _same(_verdict(input.imageDigest, 0), Installability.Installable, "installable");
    }

    function test_publish_readsNothingOfOthers() public {
        IFirmwareRegistry.ReleaseInput memory input = _released(1);

        _same(firmware.release(ACME, OTHER_PRODUCT, 1).releasedAt, 0, "another product");
        _same(firmware.release(OTHER, PRODUCT, 1).releasedAt, 0, "another manufacturer");
        _same(firmware.release(ACME, PRODUCT, 2).releasedAt, 0, "another version");
        _same(firmware.release(ACME, PRODUCT, 0).releasedAt, 0, "version 0");
        IFirmwareRegistry.Release memory none = firmware.releaseByImage(ACME, OTHER_PRODUCT, input.imageDigest);
        _same(none.releasedAt, 0, "another product by image");
        _same(none.imageDigest, 0, "no digest without a release");
        _same(firmware.latest(ACME, OTHER_PRODUCT).releasedAt, 0, "no latest");
        _same(firmware.releaseByImage(ACME, PRODUCT, 0).releasedAt, 0, "no image");
    }

    function test_publish_changesNothingWhenRepeated() public {
        IFirmwareRegistry.ReleaseInput memory input = _released(1);
        IManufacturerRegistry.KeySignature[] memory signatures = _signed(input, 1);
        _released(2);
        (bytes32 head, uint64 length) = firmware.logHead(ACME);
        _wait(1 days);
        vm.prank(CONTROLLER);
        manufacturers.revokeKey(ACME, 1);
        manufacturers.suspend(ACME);

        _accepted(_publish(ACME, input, signatures), "the same again");
        _accepted(_publish(ACME, input, _none()), "again without signatures");

        (bytes32 headAfter, uint64 lengthAfter) = firmware.logHead(ACME);
        _same(headAfter, head, "head");
        _same(lengthAfter, length, "length");
        _same(firmware.release(ACME, PRODUCT, 1).releasedAt, clock - 1 days, "released at");
        _same(firmware.latest(ACME, PRODUCT).securityVersion, 2, "latest");
    }

    function test_publish_refusesAnImageThatWasReleased() public {
        IFirmwareRegistry.ReleaseInput memory input = _released(1);
        bytes memory expected = abi.encodeWithSelector(
            IFirmwareRegistry.ImageAlreadyReleased.selector,
            ACME,
            PRODUCT,
            input.imageDigest,
            1
        );
        vm.prank(OPERATOR);
        firmware.recall(ACME, PRODUCT, 1, "bricks radio");

        input.securityVersion = 2;
        _refused(_publish(ACME, input, _signed(input, 31)), expected, "a recalled image under a higher version");
        input.securityVersion = 1;
        input.manifestDigest = "another";
        _refused(_publish(ACME, input, _signed(input, 31)), expected, "another manifest");

        input.product = OTHER_PRODUCT;
        _accepted(_publish(ACME, input, _signed(input, 1)), "the same image for another product");
    }

    /// hardhat-config: fuzz.runs = 600
    function testFuzz_publish_namesTheFirstOfManyFaults(uint16 faults) public {
        // Most draws have few faults.
        faults &= uint16(uint256(keccak256(abi.encode(faults))));
        IFirmwareRegistry.ReleaseInput memory input = _released(1);
        if (faults & 1 == 0) input = _input(2);
        else input.manifestDigest = "another";
        bytes[] memory errors = new bytes[](12);

        if (faults & 1 != 0) {
            errors[0] = abi.encodeWithSelector(
                IFirmwareRegistry.ImageAlreadyReleased.selector,
                ACME,
                PRODUCT,
                input.imageDigest,
                1
            );
        }
        if (faults & 2 != 0) {
            _nameSuccessor();
            errors[1] = abi.encodeWithSelector(ISuccession.RegistrationMoved.selector, 10, address(0xF00));
        }
        if (faults & 5 == 4) {
            input.imageDigest = 0;
            errors[2] = abi.encodeWithSelector(IFirmwareRegistry.ImageDigestZero.selector);
        }
        if (faults & 8 != 0) {
            input.securityVersion = faults & 1024 == 0 ? 1 : 1_026;
            errors[3] = abi.encodeWithSelector(
                IFirmwareRegistry.SecurityVersionInvalid.selector,
                input.securityVersion,
                1
            );
        }
        if (faults & 16 != 0) {
            input.version = faults & 2048 == 0 ? "" : string(new bytes(65));
            errors[4] = _lengthError(bytes(input.version).length, 1, 64);
        }
        if (faults & 32 != 0) {
            if (faults & 16 == 0) input.version = "1.4\n";
            errors[5] = abi.encodeWithSelector(IFirmwareRegistry.TextInvalid.selector);
        }
        if (faults & 64 != 0) {
            input.uri = string(new bytes(513));
            errors[6] = _lengthError(513, 0, 512);
        }
        if (faults & 128 != 0) {
            if (faults & 64 == 0) input.uri = "https://\x7f";
            errors[7] = abi.encodeWithSelector(IFirmwareRegistry.TextInvalid.selector);
        }
        IManufacturerRegistry.KeySignature[] memory signatures = _signed(input, 3);
        if (faults & 256 != 0) {
            signatures = faults & 4096 == 0 ? _none() : new IManufacturerRegistry.KeySignature[](9);
            errors[8] = _countError(signatures.length, 1);
        }
        if (faults & 512 != 0) {
            manufacturers.suspend(ACME);
            errors[9] = abi.encodeWithSelector(
                IManufacturerRegistry.ManufacturerStatusWrong.selector,
                ACME,
                ManufacturerStatus.Suspended
            );
        }
        if (faults & 256 == 0 && faults & 8192 != 0) {
            signatures[1].keyIndex = 1;
            errors[10] = abi.encodeWithSelector(IManufacturerRegistry.SignaturesUnordered.selector, 1, 1);
        }
        if (faults & 256 == 0 && faults & 16384 != 0) {
            signatures[1].s = bytes32(uint256(signatures[1].s) ^ 1);
            if (faults & 8192 == 0) {
                errors[11] = abi.encodeWithSelector(
                    IManufacturerRegistry.SignatureInvalid.selector,
                    manufacturers.key(ACME, 2).keyId
                );
            }
        }

        bytes memory refusal = _publish(ACME, input, signatures);
        for (uint256 i = 0; i < errors.length; ++i) {
            if (errors[i].length == 0) continue;
            _refused(refusal, errors[i], "the first fault");
            _same(firmware.latest(ACME, PRODUCT).securityVersion, 1, "nothing changed");
            return;
        }
        _accepted(refusal, "no fault");
    }

    // F4: nobody uses up the security versions.
    function test_publish_stepsByAtMost1024() public {
        _refusedVersion(0, 0);
        _refusedVersion(1_025, 0);
        _refusedVersion(type(uint64).max, 0);
        _released(1_024);

        _refusedVersion(1_023, 1_024);
        _refusedVersion(1_024, 1_024);
        _refusedVersion(2_049, 1_024);
        _refusedVersion(type(uint64).max, 1_024);
        _refusedVersion(1_024 + (1 << 40), 1_024);
        _released(2_048);
        _released(2_049);
        _refusedVersion(2_048, 2_049);
    }

    function testFuzz_publish_acceptsExactlySteps1To1024(uint64 first, uint64 second) public {
        first = 1 + (first % 1_024);
        _released(first);
        IFirmwareRegistry.ReleaseInput memory input = _input(second % 4 == 0 ? second : second % 3_000);
        input.imageDigest = "another";
        bool fits = input.securityVersion > first && input.securityVersion <= first + 1_024;
        bytes memory refusal = _publish(ACME, input, _signed(input, 1));
        if (fits) _accepted(refusal, "a step that fits");
        else _refused(refusal, _versionError(input.securityVersion, first), "a step that does not fit");
    }

    // F5: all subsets of five keys, for each threshold; in order only, each key once.
    function test_publish_countsDistinctSigners() public {
        uint64 version = 0;
        for (uint8 k = 1; k <= 6; ++k) {
            vm.prank(CONTROLLER);
            firmware.setThreshold(ACME, k);
            for (uint256 mask = 0; mask < 32; ++mask) {
                IFirmwareRegistry.ReleaseInput memory input = _input(version + 1);
                IManufacturerRegistry.KeySignature[] memory signatures = _signed(input, mask);
                uint256 count = signatures.length;
                bytes memory refusal = _publish(ACME, input, signatures);
                if (count >= k) {
                    _accepted(refusal, "enough signers");
                    _same(firmware.latest(ACME, PRODUCT).signers.length, count, "signers");
                    _same(firmware.latest(ACME, PRODUCT).threshold, k, "threshold");
                    ++version;
                } else {
                    _refused(refusal, _countError(count, k), "too few signers");
                }
            }
        }
        _same(version, 31 + 26 + 16 + 6 + 1, "publications");
    }

    function test_publish_refusesOneSignerTwice() public {
        vm.prank(CONTROLLER);
        firmware.setThreshold(ACME, 2);
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        for (uint32 first = 1; first <= 5; ++first) {
            for (uint32 second = 1; second <= first; ++second) {
                IManufacturerRegistry.KeySignature[] memory pair = new IManufacturerRegistry.KeySignature[](2);
                pair[0] = _signature(100 + first, first, _releaseDigest(ACME, input));
                pair[1] = _signature(100 + second, second, _releaseDigest(ACME, input));
                bytes memory expected = abi.encodeWithSelector(
                    IManufacturerRegistry.SignaturesUnordered.selector,
                    second,
                    first
                );
                _refused(_publish(ACME, input, pair), expected, "twice, or backwards");
            }
        }
        IManufacturerRegistry.KeySignature[] memory zero = _signed(input, 3);
        zero[0].keyIndex = 0;
        bytes memory unordered = abi.encodeWithSelector(IManufacturerRegistry.SignaturesUnordered.selector, 0, 0);
        _refused(_publish(ACME, input, zero), unordered, "key 0");
    }

    function test_publish_takesEightSignaturesAndNoMore() public {
        for (uint256 i = 7; i <= 9; ++i) _addKey(ACME, CONTROLLER, 100 + i, KeyPurpose.Firmware, FAR);
        _addKey(ACME, CONTROLLER, 110, KeyPurpose.Firmware, FAR);
        _wait(KEY_DELAY);
        vm.prank(CONTROLLER);
        firmware.setThreshold(ACME, 8);

        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        _refused(_publish(ACME, input, _signed(input, 0x3DF)), _countError(9, 8), "nine");
        _accepted(_publish(ACME, input, _signed(input, 0x3DE)), "eight");
        uint32[] memory signers = firmware.latest(ACME, PRODUCT).signers;
        uint8[8] memory expected = [2, 3, 4, 5, 7, 8, 9, 10];
        _same(signers.length, 8, "signers");
        for (uint256 i = 0; i < 8; ++i) _same(signers[i], expected[i], "signer");
    }

    function test_publish_takesNoKeyThatMayNotSignNow() public {
        uint32 late = _addKey(ACME, CONTROLLER, 107, KeyPurpose.Firmware, clock + KEY_DELAY + 10);
        _wait(KEY_DELAY - 1);
        _refusedSigner(107, late, _notCurrent(late), "a second before the key delay is over");
        _wait(1);
        _acceptedSigner(107, late, "when the key delay is over");
        _wait(9);
        _acceptedSigner(107, late, "in its last second");
        _wait(1);
        _refusedSigner(107, late, _notCurrent(late), "when it is over");

        vm.prank(CONTROLLER);
        manufacturers.revokeKey(ACME, 1);
        _refusedSigner(101, 1, _notCurrent(1), "retired");
        vm.prank(CONTROLLER);
        manufacturers.declareCompromise(ACME, 2, clock);
        _refusedSigner(102, 2, _notCurrent(2), "compromised");

        bytes memory expected = abi.encodeWithSelector(
            IManufacturerRegistry.KeyPurposeWrong.selector,
            ACME,
            6,
            KeyPurpose.Issuer
        );
        _refusedSigner(106, 6, expected, "an issuer key");
        expected = abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, ACME, 9);
        _refusedSigner(109, 9, expected, "no such key");
        expected = abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, ACME, 65_537);
        _refusedSigner(101, 65_537, expected, "an index above all that fit");

        vm.prank(CONTROLLER);
        uint32 rsa = manufacturers.addKey(ACME, KeyPurpose.Firmware, 0, FAR, hex"30820122", hex"00");
        _wait(KEY_DELAY);
        expected = abi.encodeWithSelector(IManufacturerRegistry.KeyAlgorithmUnsupported.selector, ACME, rsa);
        _refusedSigner(103, rsa, expected, "a key that is not P-256");
        _acceptedSigner(103, 3, "a current one");
    }

    // F8: what counts is the status in the block of the release.
    function test_publish_refusesAKeyThatWasRetiredAfterItSigned() public {
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        IManufacturerRegistry.KeySignature[] memory signatures = _signed(input, 3);
        vm.prank(CONTROLLER);
        manufacturers.revokeKey(ACME, 2);
        _refused(_publish(ACME, input, signatures), _notCurrent(2), "two signatures, one by a retired key");
        _accepted(_publish(ACME, input, _signed(input, 1)), "the other alone");
    }

    function test_publish_needsAnActiveManufacturer() public {
        _refused(
            _publish(3, _input(1), _signed(_input(1), 1)),
            abi.encodeWithSelector(IManufacturerRegistry.ManufacturerUnknown.selector, 3),
            "unknown"
        );
        manufacturers.suspend(ACME);
        _refusedSigner(101, 1, _wrongStatus(ManufacturerStatus.Suspended), "suspended");
        manufacturers.resume(ACME);
        _acceptedSigner(101, 1, "resumed");
        vm.prank(CONTROLLER);
        manufacturers.resign(ACME);
        _refusedSigner(101, 1, _wrongStatus(ManufacturerStatus.Left), "left");
    }

    /// hardhat-config: fuzz.runs = 400
    function testFuzz_publish_takesNoSignatureOverAnythingElse(uint8 field, bytes32 other, uint64 number) public {
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        IFirmwareRegistry.ReleaseInput memory signed = _input(1);
        uint32 manufacturerId = ACME;
        field %= 11;
        if (field == 0) manufacturerId = uint32(number) == ACME ? OTHER : uint32(number);
        else if (field == 1) signed.product = other;
        else if (field == 2) signed.securityVersion = number;
        else if (field == 3) signed.imageDigest = other;
        else if (field == 4) signed.manifestDigest = other;
        else if (field == 5) signed.version = string(abi.encode(other));
        else if (field == 6) signed.uri = string(abi.encode(other));
        else if (field == 7) (signed.version, signed.uri) = (signed.uri, signed.version);
        bytes32 digest = _releaseDigest(manufacturerId, signed);
        if (field == 8) digest = _digest("Fleetroot FirmwareRegistry", address(this), _statement(ACME, input));
        if (field == 9) digest = _digest("Fleetroot DeviceRegistry", address(firmware), _statement(ACME, input));
        if (field == 10) digest = other;
        if (digest == _releaseDigest(ACME, input)) return;

        IManufacturerRegistry.KeySignature[] memory signatures = _one(_signature(101, 1, digest));
        _refused(_publish(ACME, input, signatures), _badSignature(ACME, 1), "signed for something else");
        _accepted(_publish(ACME, input, _signed(input, 1)), "signed for this");
    }

    function testFuzz_publish_followsTheChainId(uint64 id) public {
        if (id == 0 || id == block.chainid) return;
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        IManufacturerRegistry.KeySignature[] memory before = _signed(input, 1);
        vm.chainId(id);
        _refused(_publish(ACME, input, before), _badSignature(ACME, 1), "after a fork");
        _accepted(_publish(ACME, input, _signed(input, 1)), "signed for the fork");
    }

    function test_publish_keepsManufacturersApart() public {
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        bytes32 digest = _releaseDigest(ACME, input);
        bytes memory expected = _badSignature(OTHER, 1);
        _refused(_publish(OTHER, input, _one(_signature(101, 1, digest))), expected, "Acme's, for another");
        _refused(_publish(ACME, input, _one(_signature(201, 1, digest))), _badSignature(ACME, 1), "a foreign key");
        _refused(_publish(ACME, input, _one(_signature(102, 1, digest))), _badSignature(ACME, 1), "another's place");

        digest = _releaseDigest(OTHER, input);
        _accepted(_publish(OTHER, input, _one(_signature(201, 1, digest))), "the same product of another");
        _same(firmware.latest(ACME, PRODUCT).releasedAt, 0, "Acme's product is untouched");
    }

    function testFuzz_publish_takesOneFormOfASignature(uint64 nonce) public {
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        input.manifestDigest = bytes32(uint256(nonce));
        IManufacturerRegistry.KeySignature memory good = _signature(101, 1, _releaseDigest(ACME, input));
        bytes memory expected = _badSignature(ACME, 1);

        bytes32 highS = bytes32(P256_ORDER - uint256(good.s));
        _refused(_publish(ACME, input, _one(_with(good, good.r, highS))), expected, "high s");
        _refused(_publish(ACME, input, _one(_with(good, 0, good.s))), expected, "r = 0");
        _refused(_publish(ACME, input, _one(_with(good, good.r, 0))), expected, "s = 0");
        _refused(_publish(ACME, input, _one(_with(good, good.s, good.r))), expected, "r and s swapped");
        bytes32 order = bytes32(P256_ORDER);
        _refused(_publish(ACME, input, _one(_with(good, order, good.s))), expected, "r = n");
        bytes32 flipped = good.r ^ bytes32(uint256(1) << (nonce % 256));
        _refused(_publish(ACME, input, _one(_with(good, flipped, good.s))), expected, "one bit of r");
        _accepted(_publish(ACME, input, _one(good)), "low s");
    }

    function test_publish_takesTextsUpToTheirLimits() public {
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        input.version = _text(64, "v");
        input.uri = _text(512, "u");
        _accepted(_publish(ACME, input, _signed(input, 1)), "the longest");
        input = _input(2);
        input.version = "1";
        input.uri = "";
        _accepted(_publish(ACME, input, _signed(input, 1)), "the shortest");
        input = _input(3);
        input.version = unicode"2.0-β";
        _accepted(_publish(ACME, input, _signed(input, 1)), "beyond ASCII");
    }

    function test_publish_needsNoManifest() public {
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        input.manifestDigest = 0;
        _accepted(_publish(ACME, input, _signed(input, 1)), "without a manifest");
        _accepted(_publish(ACME, input, _signed(input, 1)), "and again");
        _same(firmware.latest(ACME, PRODUCT).manifestDigest, 0, "manifest digest");
    }

    // ---------------------------------------------------------------------------------------------------------- threshold

    function test_setThreshold_raisesAtOnceAndLowersLate() public {
        _sameThreshold(1, 0, 0);
        _setThreshold(3);
        _sameThreshold(3, 0, 0);
        _refused(_tryInput(1, 3), _countError(2, 3), "two of three");

        _setThreshold(2);
        uint40 due = clock + KEY_DELAY;
        _sameThreshold(3, 2, due);
        _wait(KEY_DELAY - 1);
        _sameThreshold(3, 2, due);
        _refused(_tryInput(1, 3), _countError(2, 3), "a second too early");
        _wait(1);
        _sameThreshold(2, 0, 0);
        _accepted(_tryInput(1, 3), "two of two");

        _setThreshold(1);
        _wait(1);
        _setThreshold(1);
        _sameThreshold(2, 1, clock + KEY_DELAY);
        _wait(KEY_DELAY - 1);
        _refused(_tryInput(2, 1), _countError(1, 2), "the later word counts");
        _wait(1);
        _accepted(_tryInput(2, 1), "one of one");
    }

    function test_setThreshold_putsAnEndToALowering() public {
        _setThreshold(4);
        _setThreshold(1);
        _setThreshold(4);
        _sameThreshold(4, 0, 0);
        _wait(10 * KEY_DELAY);
        _sameThreshold(4, 0, 0);

        _setThreshold(1);
        _setThreshold(5);
        _wait(10 * KEY_DELAY);
        _sameThreshold(5, 0, 0);

        // A lowering that is due counts, whether anybody touched it or not.
        _setThreshold(1);
        _wait(KEY_DELAY);
        _setThreshold(2);
        _sameThreshold(2, 0, 0);
    }

    function test_setThreshold_isForTheControllerAlone() public {
        address[5] memory others = [OPERATOR, WEAK_OPERATOR, OUTSIDER, OTHER_CONTROLLER, address(this)];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory expected = abi.encodeWithSelector(
                IManufacturerRegistry.ControllerUnauthorized.selector,
                ACME,
                others[i]
            );
            vm.prank(others[i]);
            _refused(_call(address(firmware), abi.encodeCall(firmware.setThreshold, (ACME, 2))), expected, "not his");
        }
        bytes memory unknown = abi.encodeWithSelector(IManufacturerRegistry.ManufacturerUnknown.selector, 9);
        _refused(_call(address(firmware), abi.encodeCall(firmware.setThreshold, (9, 2))), unknown, "unknown");
        vm.prank(OTHER_CONTROLLER);
        firmware.setThreshold(OTHER, 8);
        _sameThreshold(1, 0, 0);
    }

    function testFuzz_setThreshold_takes1To8(uint8 k) public {
        vm.prank(CONTROLLER);
        bytes memory refusal = _call(address(firmware), abi.encodeCall(firmware.setThreshold, (ACME, k)));
        if (k >= 1 && k <= 8) return _accepted(refusal, "1 to 8");
        _refused(refusal, abi.encodeWithSelector(IFirmwareRegistry.ThresholdInvalid.selector, k), "no such threshold");
    }

    function test_setThreshold_isNotLoweredWhileSuspended() public {
        _setThreshold(3);
        manufacturers.suspend(ACME);
        bytes memory expected = _wrongStatus(ManufacturerStatus.Suspended);
        vm.prank(CONTROLLER);
        _refused(_call(address(firmware), abi.encodeCall(firmware.setThreshold, (ACME, 1))), expected, "lowered");
        _setThreshold(4);
        _sameThreshold(4, 0, 0);
        manufacturers.resume(ACME);
        _setThreshold(1);
        _sameThreshold(4, 1, clock + KEY_DELAY);
    }

    // K10: a thief of the controller gets neither a key nor a lower threshold to work inside the delay.
    function test_threshold_givesTheOwnerTheKeyDelay() public {
        _setThreshold(2);
        // The thief has one firmware key, and the controller.
        _setThreshold(1);
        uint32 thiefs = _addKey(ACME, CONTROLLER, 999, KeyPurpose.Firmware, FAR);
        _wait(KEY_DELAY - 1);
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        IManufacturerRegistry.KeySignature[] memory pair = new IManufacturerRegistry.KeySignature[](2);
        pair[0] = _signature(101, 1, _releaseDigest(ACME, input));
        pair[1] = _signature(999, thiefs, _releaseDigest(ACME, input));
        _refused(_publish(ACME, input, pair), _notCurrent(thiefs), "with the new key");
        _refused(_publish(ACME, input, _one(pair[0])), _countError(1, 2), "with the old key alone");
    }

    // -------------------------------------------------------------------------------------------------- recall and minimum

    // F7: a bad release is withdrawn for ever, seen through every door, and nothing else is.
    function test_recall_isSeenEverywhere() public {
        bytes32 first = _released(1).imageDigest;
        bytes32 second = _released(2).imageDigest;
        _wait(5);
        vm.prank(OPERATOR);
        firmware.recall(ACME, PRODUCT, 2, "bricks radio");

        _same(firmware.release(ACME, PRODUCT, 2).recalledAt, clock, "release");
        _same(firmware.releaseByImage(ACME, PRODUCT, second).recalledAt, clock, "by image");
        _same(firmware.latest(ACME, PRODUCT).recalledAt, clock, "latest");
        _same(firmware.latest(ACME, PRODUCT).securityVersion, 2, "latest stays");
        _same(_verdict(second, 0), Installability.Recalled, "nothing installed");
        _same(_verdict(second, 2), Installability.Recalled, "installed");
        _same(_verdict(second, 9), Installability.Recalled, "before any roll-back");
        _same(firmware.minimumSecurityVersion(ACME, PRODUCT), 0, "raises no minimum");
        _same(_verdict(first, 0), Installability.Installable, "the other release");
        _same(_verdict(first, 2), Installability.BelowInstalled, "which is a roll-back");

        _wait(1 days);
        bytes memory expected = abi.encodeWithSelector(
            IFirmwareRegistry.ReleaseAlreadyRecalled.selector,
            ACME,
            PRODUCT,
            2,
            clock - 1 days
        );
        _refused(_recall(OPERATOR, 2, "again"), expected, "twice");
        _released(3);
        _same(_verdict(second, 0), Installability.Recalled, "for ever");
    }

    function test_recall_refusesWhatIsNotThere() public {
        _released(1);
        uint64[3] memory versions = [uint64(0), 2, 1 + (1 << 40)];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory expected = abi.encodeWithSelector(
                IFirmwareRegistry.ReleaseUnknown.selector,
                ACME,
                PRODUCT,
                versions[i]
            );
            _refused(_recall(CONTROLLER, versions[i], "x"), expected, "unknown");
        }
    }

    function test_recall_needsAReason() public {
        _released(1);
        _refused(_recall(CONTROLLER, 1, ""), _lengthError(0, 1, 128), "none");
        _refused(_recall(CONTROLLER, 1, _text(129, "r")), _lengthError(129, 1, 128), "too long");
        bytes memory expected = abi.encodeWithSelector(IFirmwareRegistry.TextInvalid.selector);
        _refused(_recall(CONTROLLER, 1, "bricks\tradio"), expected, "a control character");
        _accepted(_recall(CONTROLLER, 1, _text(128, "r")), "the longest");
    }

    function test_raiseMinimum_onlyRisesAndNeverAboveLatest() public {
        _refused(_raiseMinimum(OPERATOR, 1), _minimumError(1, 0, 0), "without a release");
        _released(3);
        _released(5);
        _refused(_raiseMinimum(OPERATOR, 0), _minimumError(0, 0, 5), "not raised");
        _refused(_raiseMinimum(OPERATOR, 6), _minimumError(6, 0, 5), "above the latest");
        _accepted(_raiseMinimum(OPERATOR, 4), "raised");
        _same(firmware.minimumSecurityVersion(ACME, PRODUCT), 4, "minimum");
        _refused(_raiseMinimum(OPERATOR, 4), _minimumError(4, 4, 5), "the same");
        _refused(_raiseMinimum(OPERATOR, 3), _minimumError(3, 4, 5), "lower");
        _refused(_raiseMinimum(OPERATOR, type(uint64).max), _minimumError(type(uint64).max, 4, 5), "the end");
        _accepted(_raiseMinimum(OPERATOR, 5), "to the latest");
        _same(firmware.minimumSecurityVersion(ACME, OTHER_PRODUCT), 0, "another product");
        _same(firmware.minimumSecurityVersion(OTHER, PRODUCT), 0, "another manufacturer");
    }

    function test_recallAndRaiseMinimum_areForTheControllerAndReleaseOperators() public {
        for (uint64 i = 1; i <= 4; ++i) _released(i);
        address[5] memory others = [WEAK_OPERATOR, EXPIRED_OPERATOR, OUTSIDER, OTHER_CONTROLLER, address(this)];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory expected = abi.encodeWithSelector(
                IManufacturerRegistry.AccountUnauthorized.selector,
                ACME,
                others[i],
                RIGHT_RELEASE
            );
            _refused(_recall(others[i], 1, "x"), expected, "recall");
            _refused(_raiseMinimum(others[i], 1), expected, "minimum");
        }
        _accepted(_recall(CONTROLLER, 1, "x"), "recall by the controller");
        _accepted(_recall(OPERATOR, 2, "x"), "recall by an operator");
        _accepted(_raiseMinimum(CONTROLLER, 1), "minimum by the controller");
        _accepted(_raiseMinimum(OPERATOR, 2), "minimum by an operator");
    }

    // G7: nobody can keep a manufacturer from withdrawing.
    function test_recallAndRaiseMinimum_neverStop() public {
        for (uint64 i = 1; i <= 3; ++i) _released(i);
        manufacturers.suspend(ACME);
        _accepted(_recall(OPERATOR, 1, "x"), "recall while suspended");
        _accepted(_raiseMinimum(OPERATOR, 1), "minimum while suspended");
        manufacturers.resume(ACME);
        _nameSuccessor();
        bytes memory moved = abi.encodeWithSelector(ISuccession.RegistrationMoved.selector, 10, address(0xF00));
        _refused(_tryInput(4, 1), moved, "publishing after the succession");
        _accepted(_recall(OPERATOR, 2, "x"), "recall after the succession");
        _accepted(_raiseMinimum(OPERATOR, 2), "minimum after the succession");
        _setThreshold(2);
        vm.prank(CONTROLLER);
        manufacturers.resign(ACME);
        _accepted(_recall(OPERATOR, 3, "x"), "recall after leaving");
        _accepted(_raiseMinimum(OPERATOR, 3), "minimum after leaving");
    }

    // ------------------------------------------------------------------------------------------------------- installability

    function test_isInstallable_comparesVersions() public {
        bytes32 first = _released(2).imageDigest;
        bytes32 second = _released(7).imageDigest;
        _same(_verdict(first, 0), Installability.Installable, "nothing installed");
        _same(_verdict(first, 1), Installability.Installable, "an update");
        _same(_verdict(first, 2), Installability.Installable, "the same again");
        _same(_verdict(first, 3), Installability.BelowInstalled, "a roll-back");
        _same(_verdict(first, type(uint64).max), Installability.BelowInstalled, "a roll-back from the end");
        _same(_verdict("other", 0), Installability.Unknown, "another image");
        _same(_verdict(0, 0), Installability.Unknown, "no image");

        vm.prank(OPERATOR);
        firmware.raiseMinimum(ACME, PRODUCT, 3);
        _same(_verdict(first, 0), Installability.BelowMinimum, "below the minimum");
        _same(_verdict(first, 3), Installability.BelowMinimum, "below both");
        _same(_verdict(second, 3), Installability.Installable, "above it");
        IFirmwareRegistry.InstallVerdict memory verdict = firmware.isInstallable(ACME, PRODUCT, first, 0);
        _same(verdict.securityVersion, 2, "security version");
        _same(verdict.minimum, 3, "minimum");
        _same(verdict.latest, 7, "latest");
        verdict = firmware.isInstallable(ACME, PRODUCT, "other", 0);
        _same(verdict.securityVersion, 0, "of an unknown image");
        _same(verdict.latest, 7, "latest with an unknown image");

        vm.prank(OPERATOR);
        firmware.raiseMinimum(ACME, PRODUCT, 7);
        _same(_verdict(second, 0), Installability.Installable, "at the minimum");
    }

    function test_isInstallable_keepsProductsAndManufacturersApart() public {
        bytes32 image = _released(1).imageDigest;
        Installability other = firmware.isInstallable(ACME, OTHER_PRODUCT, image, 0).installability;
        _same(other, Installability.Unknown, "another product");
        other = firmware.isInstallable(OTHER, PRODUCT, image, 0).installability;
        _same(other, Installability.Unknown, "another manufacturer");
        other = firmware.isInstallable(77, PRODUCT, image, 0).installability;
        _same(other, Installability.Unknown, "no manufacturer at all");
    }

    // K2 for releases: a compromise voids what the key signed from its second on.
    function test_isInstallable_countsSignaturesFromBeforeACompromise() public {
        bytes32 image = _released(1).imageDigest;
        uint40 releasedAt = clock;
        _wait(10);
        _compromise(1, releasedAt + 1);
        _same(_verdict(image, 0), Installability.Installable, "compromised a second later");
        _compromise(1, releasedAt);
        _same(_verdict(image, 0), Installability.SignaturesVoid, "in the second of the release");
        _compromise(1, releasedAt - 1);
        _same(_verdict(image, 0), Installability.SignaturesVoid, "a second earlier");
        vm.prank(CONTROLLER);
        firmware.recall(ACME, PRODUCT, 1, "stolen key");
        _same(_verdict(image, 0), Installability.Recalled, "recalled says more");
    }

    function test_isInstallable_countsSignaturesFromBeforeARetirement() public {
        bytes32 inTheSecond = _released(1).imageDigest;
        vm.prank(CONTROLLER);
        manufacturers.revokeKey(ACME, 1);
        _same(_verdict(inTheSecond, 0), Installability.SignaturesVoid, "retired in the second of the release");

        IFirmwareRegistry.ReleaseInput memory input = _input(2);
        _accepted(_publish(ACME, input, _signed(input, 2)), "by another key");
        _wait(1);
        vm.prank(CONTROLLER);
        manufacturers.revokeKey(ACME, 2);
        _same(_verdict(input.imageDigest, 0), Installability.Installable, "retired a second later");
    }

    // All subsets of five signers, compromised: the release stands while k of them are good.
    function test_isInstallable_needsAsManyGoodSignaturesAsTheReleaseDid() public {
        _setThreshold(3);
        IFirmwareRegistry.ReleaseInput memory input = _input(1);
        _accepted(_publish(ACME, input, _signed(input, 31)), "five of three");
        bytes32 image = input.imageDigest;
        _setThreshold(8);
        _wait(1);
        _same(_verdict(image, 0), Installability.Installable, "a higher threshold does not reach back");

        for (uint32 i = 1; i <= 5; ++i) {
            _compromise(i, clock - 1);
            Installability expected = i <= 2 ? Installability.Installable : Installability.SignaturesVoid;
            _same(_verdict(image, 0), expected, "what is left");
        }
    }

    function test_isInstallable_followsTheManufacturer() public {
        bytes32 image = _released(1).imageDigest;
        manufacturers.suspend(ACME);
        _same(_verdict(image, 0), Installability.ManufacturerSuspended, "suspended");
        _wait(14 days - 1);
        _same(_verdict(image, 0), Installability.ManufacturerSuspended, "until it lapses");
        _wait(1);
        _same(_verdict(image, 0), Installability.Installable, "lapsed");

        IFirmwareRegistry.ReleaseInput memory last = _input(2);
        _accepted(_publish(ACME, last, _signed(last, 1)), "the last release");
        vm.prank(CONTROLLER);
        manufacturers.resign(ACME);
        _same(_verdict(image, 0), Installability.Installable, "released before it left");
        _same(_verdict(last.imageDigest, 0), Installability.ManufacturerLeft, "released in that second");
        manufacturers.declareCompromiseFor(ACME, 1, clock - 15 days);
        _same(_verdict(image, 0), Installability.SignaturesVoid, "and its key was stolen");
    }

    // --------------------------------------------------------------------------------------------------------------- logs

    function test_logHeads_followTheRule() public {
        FirmwareReplay replay = new FirmwareReplay(address(firmware));
        vm.recordLogs();
        for (uint64 i = 1; i <= 3; ++i) _released(i);
        _setThreshold(4);
        _setThreshold(2);
        vm.prank(OTHER_CONTROLLER);
        firmware.setThreshold(OTHER, 2);
        vm.prank(OPERATOR);
        firmware.recall(ACME, PRODUCT, 2, unicode"bricks the radio: β");
        vm.prank(OPERATOR);
        firmware.raiseMinimum(ACME, PRODUCT, 3);
        _same(replay.replay(vm.getRecordedLogs(), clock), 8, "entries");

        _sameHeads(replay);
        _same(replay.minimum(ACME, PRODUCT), 3, "minimum");
        _same(replay.latest(ACME, PRODUCT), 3, "latest");
        _same(replay.release(ACME, PRODUCT, 2).recalledAt, clock, "recalled at");
    }

    function test_deployment_refusesAnAuthorityWithoutCode() public {
        bytes memory expected = abi.encodeWithSelector(IAccessManaged.AccessManagedInvalidAuthority.selector, OUTSIDER);
        refuseToCreate(FIRMWARE, abi.encode(manufacturers, OUTSIDER), expected);
        _same(uint160(address(firmware.manufacturers())), uint160(address(manufacturers)), "manufacturers");
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function _input(uint64 version) private pure returns (IFirmwareRegistry.ReleaseInput memory) {
        return
            IFirmwareRegistry.ReleaseInput({
                product: PRODUCT,
                securityVersion: version,
                imageDigest: keccak256(abi.encode("image", version)),
                manifestDigest: keccak256(abi.encode("manifest", version)),
                version: "1.4.0",
                uri: "https://acme.example/app-v1.4.0.bin"
            });
    }

    /// @dev By the keys whose bits are set: bit 0 is key 1, with secret 101.
    function _signed(
        IFirmwareRegistry.ReleaseInput memory input,
        uint256 mask
    ) private view returns (IManufacturerRegistry.KeySignature[] memory signatures) {
        bytes32 digest = _releaseDigest(ACME, input);
        uint256 count = 0;
        for (uint256 left = mask; left != 0; left >>= 1) count += left & 1;
        signatures = new IManufacturerRegistry.KeySignature[](count);
        count = 0;
        for (uint32 i = 1; mask != 0; mask >>= 1) {
            if (mask & 1 != 0) signatures[count++] = _signature(100 + i, i, digest);
            ++i;
        }
    }

    function _released(uint64 version) private returns (IFirmwareRegistry.ReleaseInput memory input) {
        input = _input(version);
        _accepted(_publish(ACME, input, _signed(input, 1)), "a release");
    }

    function _tryInput(uint64 version, uint256 mask) private returns (bytes memory refusal) {
        return _publish(ACME, _input(version), _signed(_input(version), mask));
    }

    function _refusedVersion(uint64 version, uint64 latest) private {
        IFirmwareRegistry.ReleaseInput memory input = _input(version);
        input.imageDigest = "another";
        _refused(_publish(ACME, input, _signed(input, 1)), _versionError(version, latest), "a step that does not fit");
    }

    function _refusedSigner(uint256 secret, uint32 keyIndex, bytes memory expected, string memory what) private {
        _refused(_trySigner(secret, keyIndex), expected, what);
    }

    function _acceptedSigner(uint256 secret, uint32 keyIndex, string memory what) private {
        _accepted(_trySigner(secret, keyIndex), what);
    }

    function _trySigner(uint256 secret, uint32 keyIndex) private returns (bytes memory refusal) {
        IFirmwareRegistry.ReleaseInput memory input = _input(firmware.latest(ACME, PRODUCT).securityVersion + 1);
        return _publish(ACME, input, _one(_signature(secret, keyIndex, _releaseDigest(ACME, input))));
    }

    function _recall(address actor, uint64 version, string memory reason) private returns (bytes memory refusal) {
        vm.prank(actor);
        return _call(address(firmware), abi.encodeCall(firmware.recall, (ACME, PRODUCT, version, reason)));
    }

    function _raiseMinimum(address actor, uint64 minimum) private returns (bytes memory refusal) {
        vm.prank(actor);
        return _call(address(firmware), abi.encodeCall(firmware.raiseMinimum, (ACME, PRODUCT, minimum)));
    }

    function _setThreshold(uint8 k) private {
        vm.prank(CONTROLLER);
        firmware.setThreshold(ACME, k);
    }

    function _setOperator(address account, uint8 rights, uint40 until) private {
        vm.prank(CONTROLLER);
        manufacturers.setOperator(ACME, account, rights, until);
    }

    function _compromise(uint32 keyIndex, uint40 since) private {
        vm.prank(CONTROLLER);
        manufacturers.declareCompromise(ACME, keyIndex, since);
    }

    function _nameSuccessor() private {
        firmware.proposeSuccessor(10, address(0xF00), "code");
        _wait(30 days);
        firmware.nameSuccessor();
    }

    function _verdict(bytes32 imageDigest, uint64 installed) private view returns (Installability) {
        return firmware.isInstallable(ACME, PRODUCT, imageDigest, installed).installability;
    }

    function _sameThreshold(uint8 current, uint8 pending, uint40 pendingAt) private view {
        (uint8 foundCurrent, uint8 foundPending, uint40 foundAt) = firmware.threshold(ACME);
        _same(foundCurrent, current, "threshold");
        _same(foundPending, pending, "pending threshold");
        _same(foundAt, pendingAt, "when it is due");
    }

    function _sameHeads(FirmwareReplay replay) private view {
        for (uint32 i = 0; i <= OTHER; ++i) {
            (bytes32 head, uint64 length) = firmware.logHead(i);
            _same(head, replay.head(i), "head");
            _same(length, replay.lengths(i), "length");
        }
        _same(firmware.globalLogHead(), replay.globalHead(), "global head");
    }

    function _none() private pure returns (IManufacturerRegistry.KeySignature[] memory) {
        return new IManufacturerRegistry.KeySignature[](0);
    }

    function _one(
        IManufacturerRegistry.KeySignature memory signature
    ) private pure returns (IManufacturerRegistry.KeySignature[] memory list) {
        list = new IManufacturerRegistry.KeySignature[](1);
        list[0] = signature;
    }

    function _with(
        IManufacturerRegistry.KeySignature memory signature,
        bytes32 r,
        bytes32 s
    ) private pure returns (IManufacturerRegistry.KeySignature memory) {
        return IManufacturerRegistry.KeySignature({keyIndex: signature.keyIndex, r: r, s: s});
    }

    function _text(uint256 length, bytes1 octet) private pure returns (string memory) {
        bytes memory octets = new bytes(length);
        for (uint256 i = 0; i < length; ++i) octets[i] = octet;
        return string(octets);
    }

    // ------------------------------------------------------------------------------------------------------------- errors

    function _lengthError(uint256 length, uint256 least, uint256 most) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, length, least, most);
    }

    function _countError(uint256 count, uint256 k) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IFirmwareRegistry.SignatureCountInvalid.selector, count, k, 8);
    }

    function _versionError(uint64 version, uint64 latest) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IFirmwareRegistry.SecurityVersionInvalid.selector, version, latest);
    }

    function _minimumError(uint64 wanted, uint64 minimum, uint64 latest) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IFirmwareRegistry.MinimumInvalid.selector, wanted, minimum, latest);
    }

    function _notCurrent(uint32 keyIndex) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IManufacturerRegistry.KeyNotCurrent.selector, ACME, keyIndex);
    }

    function _wrongStatus(ManufacturerStatus status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IManufacturerRegistry.ManufacturerStatusWrong.selector, ACME, status);
    }

    function _badSignature(uint32 manufacturerId, uint32 keyIndex) private view returns (bytes memory) {
        bytes32 keyId = manufacturers.key(manufacturerId, keyIndex).keyId;
        return abi.encodeWithSelector(IManufacturerRegistry.SignatureInvalid.selector, keyId);
    }
}
