// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IManufacturerRegistry} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {ManufacturerStatus} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {IManufacturersDoor} from "./helpers/Doors.sol";
import {World} from "./helpers/World.sol";
import {vm} from "./helpers/Vm.sol";

/// @notice Manufacturers, their people and their keys (K1-K11, I8-I10). Governance's own delays: FleetrootAccess.t.sol.
contract ManufacturerRegistryTest is World {
    uint256 private constant P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff;

    function setUp() public {
        deployWithManufacturer();
    }

    // ---------------------------------------------------------------------------------------------------------- admission

    function test_constructor_startsIdsWhereTold() public {
        IManufacturersDoor next = IManufacturersDoor(mustCreate(MANUFACTURERS, abi.encode(access, 0, 7_000)));
        equal(next.lastManufacturerId(), 6_999, "ids below belong to earlier deployments");
        bytes memory answer = accept(CONSORTIUM, address(next), abi.encodeCall(next.admit, (CONTROLLER, "A", "")));
        equal(abi.decode(answer, (uint256)), 7_000, "first id");

        IManufacturersDoor last = IManufacturersDoor(
            mustCreate(MANUFACTURERS, abi.encode(access, 0, type(uint32).max))
        );
        accept(CONSORTIUM, address(last), abi.encodeCall(last.admit, (CONTROLLER, "A", "")));
        refuseAnyhow(CONSORTIUM, address(last), abi.encodeCall(last.admit, (CONTROLLER, "A", "")));
        equal(last.lastManufacturerId(), type(uint32).max, "ids do not wrap");

        // Manufacturer 0 is the registry itself.
        refuseToCreate(
            MANUFACTURERS,
            abi.encode(access, 0, 0),
            abi.encodeWithSelector(IManufacturerRegistry.DeploymentInvalid.selector)
        );
    }

    function test_admit_recordsTheManufacturer() public {
        uint32 id = admit(OUTSIDER);
        equal(id, 2, "the next id");
        IManufacturerRegistry.Manufacturer memory m = manufacturers.manufacturer(id);
        equal(m.controller, OUTSIDER, "controller");
        equal(uint8(m.status), uint8(ManufacturerStatus.Active), "status");
        equal(m.statusSince, time(), "since");
        equal(m.suspendedUntil, 0, "not suspended");
        equal(m.keyCount, 0, "no keys");
        equal(keccak256(bytes(m.name)), keccak256("Acme Works"), "name");
        equal(keccak256(bytes(m.metadataURI)), keccak256("https://acme.example"), "uri");
        equal(m.pendingController, address(0), "nobody pending");
        equal(m.proposedController, address(0), "nobody proposed");
    }

    function test_admit_refusesBadInput() public {
        refuse(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.admit, (address(0), "A", "")),
            abi.encodeWithSelector(IManufacturerRegistry.AddressZero.selector)
        );
        uint256[2] memory badNames = [uint256(0), 65];
        for (uint256 i = 0; i < 2; ++i) {
            refuse(
                CONSORTIUM,
                address(manufacturers),
                abi.encodeCall(manufacturers.admit, (CONTROLLER, text(badNames[i]), "")),
                abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, badNames[i], 1, 64)
            );
        }
        refuse(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.admit, (CONTROLLER, "A", text(257))),
            abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, 257, 0, 256)
        );
        accept(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.admit, (CONTROLLER, text(64), text(256)))
        );
    }

    function test_unknownManufacturers_areRefusedEverywhere() public {
        bytes memory unknown = abi.encodeWithSelector(IManufacturerRegistry.ManufacturerUnknown.selector, 9);
        bytes[6] memory governed = [
            abi.encodeCall(manufacturers.suspend, (9)),
            abi.encodeCall(manufacturers.confirmSuspension, (9)),
            abi.encodeCall(manufacturers.resume, (9)),
            abi.encodeCall(manufacturers.declareCompromiseFor, (9, 1, time())),
            abi.encodeCall(manufacturers.proposeController, (9, OUTSIDER)),
            abi.encodeCall(manufacturers.proposeController, (9, address(0)))
        ];
        for (uint256 i = 0; i < governed.length; ++i) refuse(CONSORTIUM, address(manufacturers), governed[i], unknown);
        bytes[7] memory controlled = [
            abi.encodeCall(manufacturers.vetoReplacement, (9)),
            abi.encodeCall(manufacturers.transferController, (9, OUTSIDER)),
            abi.encodeCall(manufacturers.resign, (9)),
            abi.encodeCall(manufacturers.setMetadataURI, (9, "")),
            abi.encodeCall(manufacturers.setOperator, (9, OPERATOR, 7, FAR)),
            abi.encodeCall(manufacturers.revokeKey, (9, 1)),
            abi.encodeCall(manufacturers.declareCompromise, (9, 1, time()))
        ];
        for (uint256 i = 0; i < controlled.length; ++i)
            refuse(CONTROLLER, address(manufacturers), controlled[i], unknown);
        refuse(CONTROLLER, address(manufacturers), addKeyCall(9, DEVICE, KeyPurpose.Issuer, 0, FAR), unknown);
        bytes[2] memory views = [
            abi.encodeCall(manufacturers.manufacturer, (9)),
            abi.encodeCall(manufacturers.requireOperator, (9, CONTROLLER, 1))
        ];
        for (uint256 i = 0; i < views.length; ++i) refuse(OUTSIDER, address(manufacturers), views[i], unknown);
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.acceptController, (9)),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 9, OUTSIDER)
        );
        // The zero address cannot take what is offered to nobody, as an eth_call from it would try.
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.key, (1, 3)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, 1, 3)
        );
    }

    // --------------------------------------------------------------------------------------------------------- suspension

    /// K9: nothing is good while suspended; the suspension lapses at 14 days to the second unless confirmed.
    function testFuzz_suspend_lapsesAfterFourteenDays(uint256 waitSeed, bool confirmed) public {
        uint256 start = time();
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        equal(manufacturers.manufacturer(1).suspendedUntil, start + 14 days, "until");
        if (confirmed) accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.confirmSuspension, (1)));
        uint256[5] memory edges = [uint256(0), 14 days - 1, 14 days, 14 days + 1, 400 days];
        uint256 pause = waitSeed % 2 == 0 ? edges[(waitSeed >> 1) % 5] : between(waitSeed, 0, 30 days);
        vm.warp(start + pause);

        bool suspended = confirmed || pause < 14 days;
        IManufacturerRegistry.Manufacturer memory m = manufacturers.manufacturer(1);
        equal(uint8(m.status), uint8(suspended ? ManufacturerStatus.Suspended : ManufacturerStatus.Active), "status");
        equal(m.statusSince, suspended ? start : start + 14 days, "since");
        equal(m.suspendedUntil, suspended && !confirmed ? start + 14 days : 0, "until");
        (bool ok, ) = callAs(CONTROLLER, address(manufacturers), addKeyCall(1, DEVICE, KeyPurpose.Issuer, 0, FAR));
        isTrue(ok != suspended, "new keys only while active");
        (ok, ) = callAs(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.resume, (1)));
        isTrue(ok == suspended, "only the suspended are resumed");
    }

    function test_suspension_story() public {
        bytes memory suspend = abi.encodeCall(manufacturers.suspend, (1));
        bytes memory wrongActive = wrongStatus(ManufacturerStatus.Active);
        bytes memory wrongSuspended = wrongStatus(ManufacturerStatus.Suspended);
        refuse(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.resume, (1)), wrongActive);
        refuse(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.confirmSuspension, (1)), wrongActive);
        accept(GUARDIAN, address(manufacturers), suspend);
        refuse(GUARDIAN, address(manufacturers), suspend, wrongSuspended);
        refuse(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.resign, (1)), wrongSuspended);
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.confirmSuspension, (1)));
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.confirmSuspension, (1)));
        wait(365 days);
        equal(uint8(manufacturers.manufacturer(1).status), uint8(ManufacturerStatus.Suspended), "lasts");
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.resume, (1)));
        equal(uint8(manufacturers.manufacturer(1).status), uint8(ManufacturerStatus.Active), "resumed");
        equal(manufacturers.manufacturer(1).statusSince, time(), "since now");
        // A suspension that lapsed cannot be confirmed afterwards; a new one can begin.
        accept(GUARDIAN, address(manufacturers), suspend);
        wait(14 days);
        refuse(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.confirmSuspension, (1)), wrongActive);
        accept(GUARDIAN, address(manufacturers), suspend);
    }

    function test_resign_isFinal() public {
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.resign, (1)));
        uint256 since = time();
        vm.warp(since + 1_000 days);
        bytes memory left = wrongStatus(ManufacturerStatus.Left);
        refuse(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)), left);
        refuse(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.resume, (1)), left);
        refuse(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.confirmSuspension, (1)), left);
        refuse(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.resign, (1)), left);
        refuse(CONTROLLER, address(manufacturers), addKeyCall(1, DEVICE, KeyPurpose.Issuer, 0, FAR), left);
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.signingKey, (1, 1, KeyPurpose.Issuer)),
            left
        );
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireRegistration, (1, CONTROLLER, 1, KeyPurpose.Issuer)),
            left
        );
        equal(uint8(manufacturers.manufacturer(1).status), uint8(ManufacturerStatus.Left), "left");
        equal(manufacturers.manufacturer(1).statusSince, since, "since then");
        // The guardian may still date a compromise, the controller still retire keys.
        accept(
            GUARDIAN,
            address(manufacturers),
            abi.encodeCall(manufacturers.declareCompromiseFor, (1, 1, uint40(since)))
        );
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.revokeKey, (1, 2)));
    }

    /// A manufacturer whose suspension lapsed may leave, and stays gone.
    function test_resign_afterALapse() public {
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        wait(14 days);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.resign, (1)));
        wait(14 days);
        equal(uint8(manufacturers.manufacturer(1).status), uint8(ManufacturerStatus.Left), "left");
        equal(manufacturers.manufacturer(1).suspendedUntil, 0, "nothing lapses any more");
    }

    // --------------------------------------------------------------------------------------------------------- controller

    function test_transferController_takesTwoSteps() public {
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.transferController, (1, OUTSIDER)));
        equal(manufacturers.manufacturer(1).pendingController, OUTSIDER, "pending");
        equal(manufacturers.manufacturer(1).controller, CONTROLLER, "not yet");
        refuse(
            OPERATOR,
            address(manufacturers),
            abi.encodeCall(manufacturers.acceptController, (1)),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, OPERATOR)
        );
        // Taken back.
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.transferController, (1, address(0))));
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.acceptController, (1)),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, OUTSIDER)
        );
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.transferController, (1, OUTSIDER)));
        accept(OUTSIDER, address(manufacturers), abi.encodeCall(manufacturers.acceptController, (1)));
        equal(manufacturers.manufacturer(1).controller, OUTSIDER, "taken over");
        equal(manufacturers.manufacturer(1).pendingController, address(0), "nobody pending");
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.setMetadataURI, (1, "")),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, CONTROLLER)
        );
        // A planned handover keeps the operators.
        (uint8 rights, uint40 until) = manufacturers.operator(1, OPERATOR);
        equal(rights, 7, "operator stays");
        equal(until, FAR, "operator stays");
    }

    /// K10, lost: after 30 days to the second the consortium puts another in place, and every operator has lost its rights.
    function testFuzz_replaceController_waitsThirtyDays(uint256 waitSeed) public {
        uint40 due = time() + 30 days;
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.proposeController, (1, OUTSIDER)));
        equal(manufacturers.manufacturer(1).replacementAt, due, "due");
        uint256[4] memory edges = [uint256(0), 30 days - 1, 30 days, 30 days + 1];
        uint256 pause = waitSeed % 2 == 0 ? edges[(waitSeed >> 1) % 4] : between(waitSeed, 0, 90 days);
        wait(pause);
        bytes memory replace = abi.encodeCall(manufacturers.replaceController, (1));
        if (pause < 30 days) {
            refuse(
                CONSORTIUM,
                address(manufacturers),
                replace,
                abi.encodeWithSelector(IManufacturerRegistry.ReplacementNotDue.selector, 1, due)
            );
            equal(manufacturers.manufacturer(1).controller, CONTROLLER, "still the old one");
            return;
        }
        accept(CONSORTIUM, address(manufacturers), replace);
        IManufacturerRegistry.Manufacturer memory m = manufacturers.manufacturer(1);
        equal(m.controller, OUTSIDER, "replaced");
        equal(m.proposedController, address(0), "proposal used up");
        equal(m.replacementAt, 0, "proposal used up");
        (uint8 rights, uint40 until) = manufacturers.operator(1, OPERATOR);
        equal(uint256(rights) + until, 0, "operators have no rights");
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireOperator, (1, OPERATOR, 1)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, OPERATOR, 1)
        );
        refuse(
            CONSORTIUM,
            address(manufacturers),
            replace,
            abi.encodeWithSelector(IManufacturerRegistry.ReplacementNotDue.selector, 1, 0)
        );
        accept(OUTSIDER, address(manufacturers), abi.encodeCall(manufacturers.setOperator, (1, OPERATOR, 2, FAR)));
        (rights, ) = manufacturers.operator(1, OPERATOR);
        equal(rights, 2, "named anew");
    }

    function test_vetoReplacement_story() public {
        bytes memory veto = abi.encodeCall(manufacturers.vetoReplacement, (1));
        bytes memory propose = abi.encodeCall(manufacturers.proposeController, (1, OUTSIDER));
        refuse(
            CONTROLLER,
            address(manufacturers),
            veto,
            abi.encodeWithSelector(IManufacturerRegistry.ReplacementNotDue.selector, 1, 0)
        );
        accept(CONSORTIUM, address(manufacturers), propose);
        refuse(
            OPERATOR,
            address(manufacturers),
            veto,
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, OPERATOR)
        );
        wait(31 days);
        // Due, but the controller is there after all.
        accept(CONTROLLER, address(manufacturers), veto);
        refuse(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.replaceController, (1)),
            abi.encodeWithSelector(IManufacturerRegistry.ReplacementNotDue.selector, 1, 0)
        );
        // A thief holds the controller's key: the consortium suspends, confirms, proposes, and no veto counts.
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.confirmSuspension, (1)));
        accept(CONSORTIUM, address(manufacturers), propose);
        accept(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.setOperator, (1, address(0xF00), 7, FAR))
        );
        accept(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.transferController, (1, address(0xF00)))
        );
        refuse(CONTROLLER, address(manufacturers), veto, wrongStatus(ManufacturerStatus.Suspended));
        wait(30 days);
        refuse(CONTROLLER, address(manufacturers), veto, wrongStatus(ManufacturerStatus.Suspended));
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.replaceController, (1)));
        // What the thief prepared is void.
        (uint8 rights, ) = manufacturers.operator(1, address(0xF00));
        equal(rights, 0, "the thief's operator");
        refuse(
            address(0xF00),
            address(manufacturers),
            abi.encodeCall(manufacturers.acceptController, (1)),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, address(0xF00))
        );
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.resume, (1)));
    }

    /// A suspension that lapses gives the veto back.
    function test_vetoReplacement_afterALapse() public {
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.proposeController, (1, OUTSIDER)));
        wait(14 days - 1);
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.vetoReplacement, (1)),
            wrongStatus(ManufacturerStatus.Suspended)
        );
        wait(1);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.vetoReplacement, (1)));
    }

    /// A second proposal starts the clock again, so that nobody is put in place unseen.
    function test_proposeController_startsTheClockAnew() public {
        refuse(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.proposeController, (1, address(0))),
            abi.encodeWithSelector(IManufacturerRegistry.AddressZero.selector)
        );
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.proposeController, (1, OPERATOR)));
        wait(30 days);
        accept(CONSORTIUM, address(manufacturers), abi.encodeCall(manufacturers.proposeController, (1, OUTSIDER)));
        refuse(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.replaceController, (1)),
            abi.encodeWithSelector(IManufacturerRegistry.ReplacementNotDue.selector, 1, time() + 30 days)
        );
    }

    function test_replaceController_isExhaustedAfter255() public {
        bytes memory propose = abi.encodeCall(manufacturers.proposeController, (1, CONTROLLER));
        bytes memory replace = abi.encodeCall(manufacturers.replaceController, (1));
        for (uint256 i = 0; i < 255; ++i) {
            accept(CONSORTIUM, address(manufacturers), propose);
            wait(30 days);
            accept(CONSORTIUM, address(manufacturers), replace);
        }
        accept(CONSORTIUM, address(manufacturers), propose);
        wait(30 days);
        refuse(
            CONSORTIUM,
            address(manufacturers),
            replace,
            abi.encodeWithSelector(IManufacturerRegistry.ReplacementsExhausted.selector, 1)
        );
        (uint8 rights, ) = manufacturers.operator(1, OPERATOR);
        equal(rights, 0, "the first epoch never comes back");
    }

    function test_setMetadataURI_changesTheUriAlone() public {
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.setMetadataURI, (1, text(256))));
        equal(bytes(manufacturers.manufacturer(1).metadataURI).length, 256, "uri");
        equal(keccak256(bytes(manufacturers.manufacturer(1).name)), keccak256("Acme Works"), "name");
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.setMetadataURI, (1, text(257))),
            abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, 257, 0, 256)
        );
    }

    // ---------------------------------------------------------------------------------------------------------- operators

    /// K1: separate rights, with an expiry that is exclusive.
    function testFuzz_requireOperator_followsRightsAndExpiry(
        uint8 rights,
        uint8 right,
        uint40 until,
        uint256 moment
    ) public {
        uint256 start = time();
        rights = uint8(between(rights, 0, 9));
        until = uint40(between(until, start - 5, start + 1_000));
        moment = between(moment, start, start + 1_200);
        right = uint8(1 << (right % 3));

        bytes memory set = abi.encodeCall(manufacturers.setOperator, (1, OUTSIDER, rights, until));
        if (rights > 7 || (rights != 0 && until <= start)) {
            refuse(
                CONTROLLER,
                address(manufacturers),
                set,
                abi.encodeWithSelector(IManufacturerRegistry.OperatorInvalid.selector, rights, until)
            );
            return;
        }
        accept(CONTROLLER, address(manufacturers), set);
        vm.warp(moment);
        bool may = rights & right != 0 && moment < until;
        bytes memory ask = abi.encodeCall(manufacturers.requireOperator, (1, OUTSIDER, right));
        if (may) accept(address(this), address(manufacturers), ask);
        else {
            refuse(
                address(this),
                address(manufacturers),
                ask,
                abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, OUTSIDER, right)
            );
        }
        (uint8 found, uint40 foundUntil) = manufacturers.operator(1, OUTSIDER);
        bool any = rights != 0 && moment < until;
        equal(found, any ? rights : 0, "rights");
        equal(foundUntil, any ? until : 0, "until");
    }

    function test_setOperator_takesRightsAway() public {
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.setOperator, (1, address(0), 1, FAR)),
            abi.encodeWithSelector(IManufacturerRegistry.AddressZero.selector)
        );
        refuse(
            OPERATOR,
            address(manufacturers),
            abi.encodeCall(manufacturers.setOperator, (1, OUTSIDER, 1, FAR)),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, OPERATOR)
        );
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.setOperator, (1, OPERATOR, 0, 0)));
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireOperator, (1, OPERATOR, 1)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, OPERATOR, 1)
        );
        // The controller needs no grant, and its rights are nobody else's.
        manufacturers.requireOperator(1, CONTROLLER, 1);
        manufacturers.requireOperator(1, CONTROLLER, 2);
        admit(OUTSIDER);
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireOperator, (2, CONTROLLER, 1)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 2, CONTROLLER, 1)
        );
    }

    // --------------------------------------------------------------------------------------------------------------- keys

    function test_addKey_recordsAProvenKey() public {
        uint32 index = addKey(1, CONTROLLER, DEVICE, KeyPurpose.Firmware);
        equal(index, 3, "index");
        IManufacturerRegistry.Key memory k = manufacturers.key(1, index);
        (uint256 x, uint256 y) = vm.publicKeyP256(DEVICE);
        equal(k.keyId, keyIdOf(DEVICE), "key id");
        equal(uint8(k.purpose), uint8(KeyPurpose.Firmware), "purpose");
        isTrue(k.proven, "proven");
        equal(k.registeredAt, time(), "registered");
        equal(k.notBefore, time(), "from now on");
        equal(k.notAfter, FAR, "until");
        equal(k.x, bytes32(x), "x");
        equal(k.y, bytes32(y), "y");
        equal(uint256(k.revokedAt) + k.compromisedSince, 0, "neither retired nor compromised");
        (uint32 owner, uint32 ownerIndex) = manufacturers.provenKey(k.keyId);
        equal(owner, 1, "owner");
        equal(ownerIndex, 3, "owner's index");
    }

    function test_addKey_keepsOtherAlgorithmsAsClaims() public {
        bytes memory spki_ = text2(bytes(hex"302a300506032b6570032100"), 32);
        bytes memory call_ = abi.encodeCall(manufacturers.addKey, (1, KeyPurpose.Issuer, 0, FAR, spki_, hex"01"));
        equal(abi.decode(accept(CONTROLLER, address(manufacturers), call_), (uint256)), 3, "index");
        IManufacturerRegistry.Key memory k = manufacturers.key(1, 3);
        isTrue(!k.proven && k.x == 0 && k.y == 0, "a claim");
        equal(k.keyId, sha256(spki_), "key id");
        (uint32 owner, ) = manufacturers.provenKey(k.keyId);
        equal(owner, 0, "of claims the registry names no owner");
        refuse(
            CONTROLLER,
            address(manufacturers),
            call_,
            abi.encodeWithSelector(IManufacturerRegistry.KeyAlreadyRegistered.selector, k.keyId, 1, 3)
        );
        // K11: another manufacturer may claim it too; readers check the proofs, and two valid owners are an error.
        admit(OUTSIDER);
        accept(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.addKey, (2, KeyPurpose.Issuer, 0, FAR, spki_, hex"02"))
        );
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.signingKey, (1, 3, KeyPurpose.Issuer)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyAlgorithmUnsupported.selector, 1, 3)
        );
    }

    function test_addKey_refusesBadInputInOrder() public {
        bytes memory proof = possession(1, DEVICE, KeyPurpose.Issuer);
        bytes memory good = spkiOf(DEVICE);
        uint40 now_ = time();
        refuse(
            OPERATOR,
            address(manufacturers),
            addKeyCall(1, DEVICE, KeyPurpose.None, 9, 9),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, OPERATOR)
        );
        refuseAddKey(
            KeyPurpose.None,
            9,
            9,
            "",
            "",
            abi.encodeWithSelector(IManufacturerRegistry.KeyPurposeInvalid.selector, KeyPurpose.None)
        );
        refuseAddKey(
            KeyPurpose.Issuer,
            9,
            9,
            "",
            "",
            abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, 0, 1, 1_024)
        );
        refuseAddKey(
            KeyPurpose.Issuer,
            9,
            9,
            bytes(text(1_025)),
            "",
            abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, 1_025, 1, 1_024)
        );
        refuseAddKey(
            KeyPurpose.Issuer,
            9,
            9,
            good,
            "",
            abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, 0, 1, 1_024)
        );
        refuseAddKey(
            KeyPurpose.Issuer,
            9,
            9,
            good,
            bytes(text(1_025)),
            abi.encodeWithSelector(IManufacturerRegistry.LengthOutOfRange.selector, 1_025, 1, 1_024)
        );
        refuseAddKey(
            KeyPurpose.Issuer,
            9,
            9,
            good,
            proof,
            abi.encodeWithSelector(IManufacturerRegistry.KeyValidityInvalid.selector, now_, 9)
        );
        refuseAddKey(
            KeyPurpose.Issuer,
            now_ + 5,
            now_ + 5,
            good,
            proof,
            abi.encodeWithSelector(IManufacturerRegistry.KeyValidityInvalid.selector, now_ + 5, now_ + 5)
        );
        // A purpose that does not exist.
        bytes memory raw = addKeyCall(1, DEVICE, KeyPurpose.Issuer, 0, FAR);
        raw[4 + 63] = 0x04;
        refuseAnyhow(CONTROLLER, address(manufacturers), raw);
        refuse(
            CONTROLLER,
            address(manufacturers),
            addKeyCall(1, ISSUER, KeyPurpose.Issuer, 0, FAR),
            abi.encodeWithSelector(IManufacturerRegistry.KeyAlreadyRegistered.selector, keyIdOf(ISSUER), 1, 1)
        );
    }

    /// K7: nothing but a point of P-256 in its one encoding is stored as P-256.
    function test_addKey_refusesWhatIsNoPoint() public {
        (uint256 x, uint256 y) = vm.publicKeyP256(DEVICE);
        uint256[2][8] memory points = [
            [uint256(0), 0],
            [x, y ^ 1],
            [x, type(uint256).max - y],
            [P, 0x66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4],
            [uint256(5), 1],
            [y, x],
            [type(uint256).max, type(uint256).max],
            [uint256(0), 1]
        ];
        for (uint256 i = 0; i < points.length; ++i) {
            refuseAddKey(
                KeyPurpose.Issuer,
                0,
                FAR,
                spki(points[i][0], points[i][1]),
                possession(1, DEVICE, KeyPurpose.Issuer),
                abi.encodeWithSelector(
                    IManufacturerRegistry.PublicKeyInvalid.selector,
                    bytes32(points[i][0]),
                    bytes32(points[i][1])
                )
            );
        }
        // Compressed, or with a longer tail: says P-256 and is not the one form.
        bytes[3] memory forms = [
            bytes.concat(hex"3039301306072a8648ce3d020106082a8648ce3d030107032200", bytes1(0x02), bytes32(x)),
            bytes.concat(spki(x, y), hex"00"),
            bytes.concat(hex"3059301306072a8648ce3d020106082a8648ce3d03010703420006", bytes32(x), bytes32(y))
        ];
        for (uint256 i = 0; i < forms.length; ++i) {
            refuseAddKey(
                KeyPurpose.Issuer,
                0,
                FAR,
                forms[i],
                possession(1, DEVICE, KeyPurpose.Issuer),
                abi.encodeWithSelector(IManufacturerRegistry.KeyEncodingInvalid.selector, forms[i].length)
            );
        }
    }

    /// K6, X5: a proof of possession holds for one chain, contract, manufacturer, key and purpose, and with low s only.
    function test_addKey_refusesEveryOtherProof() public {
        uint32 two = admit(OUTSIDER);
        bytes32 keyId = keyIdOf(DEVICE);
        address registry = address(manufacturers);
        bytes32[6] memory digests = [
            possessionDigest(1, registry, 1, keyId, KeyPurpose.Issuer),
            possessionDigest(block.chainid, address(devices), 1, keyId, KeyPurpose.Issuer),
            possessionDigest(block.chainid, registry, two, keyId, KeyPurpose.Issuer),
            possessionDigest(block.chainid, registry, 1, keyIdOf(ISSUER), KeyPurpose.Issuer),
            possessionDigest(block.chainid, registry, 1, keyId, KeyPurpose.OpenIssuer),
            keccak256("anything else")
        ];
        bytes memory reason = abi.encodeWithSelector(IManufacturerRegistry.KeyPossessionUnproven.selector, 1, keyId);
        for (uint256 i = 0; i < digests.length; ++i) {
            (bytes32 r0, bytes32 s0) = sign(DEVICE, digests[i]);
            refuseAddKey(KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r0, s0), reason);
        }
        bytes32 digest = possessionDigest(block.chainid, registry, 1, keyId, KeyPurpose.Issuer);
        // Another key's signature on the right statement: somebody claims a key that is not his.
        (bytes32 r, bytes32 s) = sign(ISSUER, digest);
        refuseAddKey(KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r, s), reason);
        (r, s) = sign(DEVICE, digest);
        refuseAddKey(KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r, bytes32(N - uint256(s))), reason);
        refuseAddKey(KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r, s, hex"00"), reason);
        refuseAddKey(KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r, bytes31(s)), reason);
        // The chain forks: the domain follows the live chain id.
        vm.chainId(31_338);
        refuseAddKey(KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r, s), reason);
        vm.chainId(31_337);
        accept(
            CONTROLLER,
            registry,
            abi.encodeCall(manufacturers.addKey, (1, KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r, s)))
        );
        // A copied proof is worth nothing to the other manufacturer.
        refuse(
            OUTSIDER,
            registry,
            abi.encodeCall(manufacturers.addKey, (two, KeyPurpose.Issuer, 0, FAR, spkiOf(DEVICE), bytes.concat(r, s))),
            abi.encodeWithSelector(IManufacturerRegistry.KeyAlreadyRegistered.selector, keyId, 1, 3)
        );
    }

    /// K8, I10: once, for ever, even years after the key was retired, and for whatever purpose.
    function test_addKey_acceptsAProvenKeyOnce() public {
        admit(OUTSIDER);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.revokeKey, (1, 1)));
        wait(3_000 days);
        bytes memory reason = abi.encodeWithSelector(
            IManufacturerRegistry.KeyAlreadyRegistered.selector,
            keyIdOf(ISSUER),
            1,
            1
        );
        refuse(
            CONTROLLER,
            address(manufacturers),
            addKeyCall(1, ISSUER, KeyPurpose.Firmware, 0, type(uint40).max),
            reason
        );
        refuse(OUTSIDER, address(manufacturers), addKeyCall(2, ISSUER, KeyPurpose.Issuer, 0, type(uint40).max), reason);
    }

    function test_addKey_makesFirmwareKeysWait() public {
        deploy(0, 48 hours);
        admit(CONTROLLER);
        uint32 index = addKey(1, CONTROLLER, FIRMWARE, KeyPurpose.Firmware);
        uint256 start = time();
        equal(manufacturers.key(1, index).notBefore, start + 48 hours, "after the key delay");
        bytes memory ask = abi.encodeCall(manufacturers.signingKey, (1, index, KeyPurpose.Firmware));
        bytes memory notYet = abi.encodeWithSelector(IManufacturerRegistry.KeyNotCurrent.selector, 1, index);
        refuse(OUTSIDER, address(manufacturers), ask, notYet);
        vm.warp(start + 48 hours - 1);
        refuse(OUTSIDER, address(manufacturers), ask, notYet);
        vm.warp(start + 48 hours);
        accept(OUTSIDER, address(manufacturers), ask);
        // Others start at once.
        index = addKey(1, CONTROLLER, ISSUER, KeyPurpose.Issuer);
        accept(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.signingKey, (1, index, KeyPurpose.Issuer))
        );
    }

    /// K5: windows are half-open.
    function test_signingKey_countsInAHalfOpenWindow() public {
        uint40 from = time() + 100;
        uint40 until = from + 50;
        accept(CONTROLLER, address(manufacturers), addKeyCall(1, DEVICE, KeyPurpose.Issuer, from, until));
        bytes memory ask = abi.encodeCall(manufacturers.signingKey, (1, 3, KeyPurpose.Issuer));
        uint40[6] memory times = [from - 1, from, from + 1, until - 1, until, until + 1];
        for (uint256 i = 0; i < times.length; ++i) {
            vm.warp(times[i]);
            if (times[i] >= from && times[i] < until) accept(OUTSIDER, address(manufacturers), ask);
            else
                refuse(
                    OUTSIDER,
                    address(manufacturers),
                    ask,
                    abi.encodeWithSelector(IManufacturerRegistry.KeyNotCurrent.selector, 1, 3)
                );
        }
    }

    function test_addKey_stopsAt4096() public {
        // 4,096 keys take a while; the count is the lowest word of the profile (client/abi/storageLayout.ts).
        bytes32 slot = keccak256(abi.encode(uint256(1), uint256(7)));
        isTrue(uint32(uint256(vm.load(address(manufacturers), slot))) == 2, "the slot of the key count");
        vm.store(address(manufacturers), slot, bytes32(uint256(4_095)));
        equal(addKey(1, CONTROLLER, DEVICE, KeyPurpose.Issuer), 4_096, "the last");
        refuse(
            CONTROLLER,
            address(manufacturers),
            addKeyCall(1, FIRMWARE, KeyPurpose.Issuer, 0, FAR),
            abi.encodeWithSelector(IManufacturerRegistry.KeysExhausted.selector, 1, 4_096)
        );
    }

    function test_revokeKey_retiresOnce() public {
        refuse(
            OPERATOR,
            address(manufacturers),
            abi.encodeCall(manufacturers.revokeKey, (1, 1)),
            abi.encodeWithSelector(IManufacturerRegistry.ControllerUnauthorized.selector, 1, OPERATOR)
        );
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.revokeKey, (1, 0)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, 1, 0)
        );
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.revokeKey, (1, 1)));
        uint40 retiredAt = time();
        wait(1);
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.revokeKey, (1, 1)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyAlreadyRevoked.selector, 1, 1, retiredAt)
        );
        equal(manufacturers.key(1, 1).revokedAt, retiredAt, "retired");
        equal(manufacturers.key(1, 1).compromisedSince, 0, "not compromised");
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.signingKey, (1, 1, KeyPurpose.Issuer)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyNotCurrent.selector, 1, 1)
        );
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireRegistration, (1, OPERATOR, 1, KeyPurpose.Issuer)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyNotCurrent.selector, 1, 1)
        );
    }

    /// K3, I8: the date only moves earlier, and lies between the registration and the block that says it.
    function testFuzz_declareCompromise_inAllOrders(uint40[6] memory dates, uint8[6] memory waits) public {
        uint256 registered = manufacturers.key(1, 1).registeredAt;
        uint256 known = 0;
        for (uint256 i = 0; i < dates.length; ++i) {
            wait(waits[i]);
            uint40 since = uint40(between(dates[i], registered - 3, time() + 3));
            uint256 latest = known == 0 ? time() : known - 1;
            bytes memory declare = abi.encodeCall(manufacturers.declareCompromise, (1, 1, since));
            if (since >= registered && since <= latest) {
                accept(CONTROLLER, address(manufacturers), declare);
                known = since;
            } else {
                refuse(
                    CONTROLLER,
                    address(manufacturers),
                    declare,
                    abi.encodeWithSelector(
                        IManufacturerRegistry.CompromiseDateInvalid.selector,
                        since,
                        registered,
                        latest
                    )
                );
            }
            equal(manufacturers.key(1, 1).compromisedSince, known, "model");
            equal(manufacturers.key(1, 1).revokedAt, 0, "compromised is not retired");
        }
    }

    function test_declareCompromiseFor_isForTheSuspendedAndTheGone() public {
        uint40 now_ = time();
        bytes memory declare = abi.encodeCall(manufacturers.declareCompromiseFor, (1, 1, now_));
        refuse(GUARDIAN, address(manufacturers), declare, wrongStatus(ManufacturerStatus.Active));
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        (bool ok, ) = callAs(CONTROLLER, address(manufacturers), declare);
        isTrue(!ok, "not the controller's door");
        accept(GUARDIAN, address(manufacturers), declare);
        equal(manufacturers.key(1, 1).compromisedSince, now_, "dated");
        accept(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.declareCompromiseFor, (1, 1, now_ - 1))
        );
        vm.warp(now_ + 14 days);
        refuse(
            GUARDIAN,
            address(manufacturers),
            abi.encodeCall(manufacturers.declareCompromiseFor, (1, 1, now_ - 2)),
            wrongStatus(ManufacturerStatus.Active)
        );
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.declareCompromise, (1, 9, now_)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, 1, 9)
        );
    }

    // -------------------------------------------------------------------------------------------------------------- views

    function test_requireRegistration_refusesInOrder() public {
        bytes memory ask = abi.encodeCall(manufacturers.requireRegistration, (1, OPERATOR, 1, KeyPurpose.Issuer));
        accept(address(this), address(manufacturers), ask);
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireRegistration, (1, OUTSIDER, 9, KeyPurpose.Issuer)),
            abi.encodeWithSelector(IManufacturerRegistry.AccountUnauthorized.selector, 1, OUTSIDER, 1)
        );
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireRegistration, (1, OPERATOR, 9, KeyPurpose.Issuer)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, 1, 9)
        );
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.requireRegistration, (1, OPERATOR, 2, KeyPurpose.Issuer)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyPurposeWrong.selector, 1, 2, KeyPurpose.OpenIssuer)
        );
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        refuse(OUTSIDER, address(manufacturers), ask, wrongStatus(ManufacturerStatus.Suspended));
    }

    function test_keyStanding_saysWhatCountsNow() public {
        uint40 registered = manufacturers.key(1, 1).registeredAt;
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.revokeKey, (1, 1)));
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.declareCompromise, (1, 1, registered)));
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        uint256 start = time();
        (ManufacturerStatus status, uint40 since, uint40 revokedAt, uint40 compromisedSince) = manufacturers
            .keyStanding(1, 1);
        equal(uint8(status), uint8(ManufacturerStatus.Suspended), "status");
        equal(since, start, "since");
        equal(revokedAt, start, "retired");
        equal(compromisedSince, registered, "compromised");
        vm.warp(start + 14 days);
        (status, since, , ) = manufacturers.keyStanding(1, 1);
        equal(uint8(status), uint8(ManufacturerStatus.Active), "lapsed");
        equal(since, start + 14 days, "since the lapse");
        refuse(
            OUTSIDER,
            address(manufacturers),
            abi.encodeCall(manufacturers.keyStanding, (1, 3)),
            abi.encodeWithSelector(IManufacturerRegistry.KeyUnknown.selector, 1, 3)
        );
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function refuseAddKey(
        KeyPurpose purpose,
        uint40 notBefore,
        uint40 notAfter,
        bytes memory spki_,
        bytes memory proof,
        bytes memory reason
    ) private {
        refuse(
            CONTROLLER,
            address(manufacturers),
            abi.encodeCall(manufacturers.addKey, (1, purpose, notBefore, notAfter, spki_, proof)),
            reason
        );
    }

    function wrongStatus(ManufacturerStatus status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IManufacturerRegistry.ManufacturerStatusWrong.selector, 1, status);
    }

    function text(uint256 length) private pure returns (string memory) {
        bytes memory letters = new bytes(length);
        for (uint256 i = 0; i < length; ++i) letters[i] = "a";
        return string(letters);
    }

    function text2(bytes memory head, uint256 tail) private pure returns (bytes memory) {
        return bytes.concat(head, new bytes(tail));
    }
}
