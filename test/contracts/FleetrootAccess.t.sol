// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IFleetrootAccess} from "../../contracts/interfaces/IFleetrootAccess.sol";
import {IManufacturerRegistry} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {ISuccession} from "../../contracts/interfaces/ISuccession.sol";
import {IManufacturersDoor} from "./helpers/Doors.sol";
import {World} from "./helpers/World.sol";
import {vm} from "./helpers/Vm.sol";

/// @notice Who governs, and how long it takes (G1-G3, G9, I1).
contract FleetrootAccessTest is World {
    uint32 private constant DELAY = 48 hours;
    uint64 private constant ADMIN = 0;
    uint64 private constant ADMISSION = 1;
    uint64 private constant COUNCIL = 2;
    uint64 private constant WATCH = 3;

    bytes private admission;

    function setUp() public {
        deploy(DELAY, 48 hours);
        admission = abi.encodeCall(manufacturers.admit, (CONTROLLER, "Acme Works", ""));
    }

    // --------------------------------------------------------------------------------------------------------- deployment

    function test_constructor_givesEveryRoleItsHolder() public view {
        holds(ADMIN, CONSORTIUM, DELAY);
        holds(ADMISSION, CONSORTIUM, DELAY);
        holds(COUNCIL, CONSORTIUM, 0);
        holds(WATCH, CONSORTIUM, 0);
        holds(WATCH, GUARDIAN, 0);
        address[3] memory others = [address(this), GUARDIAN, OUTSIDER];
        for (uint64 role = 0; role < 8; ++role) {
            for (uint256 i = 0; i < others.length; ++i) {
                if (role == WATCH && others[i] == GUARDIAN) continue;
                (bool member, ) = access.hasRole(role, others[i]);
                isTrue(!member, "nobody else holds a role, the deployer least of all");
            }
        }
        equal(access.minimumDelay(), DELAY, "minimum delay");
        equal(access.getRoleGuardian(ADMISSION), WATCH, "the guardian watches admissions");
        equal(access.getRoleGuardian(COUNCIL), ADMIN, "and no other role");
        equal(manufacturers.authority(), address(access), "authority");
        equal(devices.authority(), address(access), "authority");
    }

    function test_constructor_refusesWhatCannotGovern() public {
        bytes memory noAdmin = abi.encodeWithSelector(
            IAccessManager.AccessManagerInvalidInitialAdmin.selector,
            address(0)
        );
        refuseToCreate(ACCESS, abi.encode(address(0), GUARDIAN, DELAY), noAdmin);
        refuseToCreate(ACCESS, abi.encode(CONSORTIUM, address(0), DELAY), noAdmin);
        address[2] memory nobodies = [address(0), OUTSIDER];
        for (uint256 i = 0; i < nobodies.length; ++i) {
            bytes memory noAuthority = abi.encodeWithSelector(
                IAccessManaged.AccessManagedInvalidAuthority.selector,
                nobodies[i]
            );
            refuseToCreate(MANUFACTURERS, abi.encode(nobodies[i], 1, 1), noAuthority);
            refuseToCreate(DEVICES, abi.encode(manufacturers, nobodies[i]), noAuthority);
        }
    }

    /// G3: zero delays belong to test chains only.
    function test_constructor_refusesZeroDelaysOnRealChains() public {
        uint256[4] memory real = [uint256(1), 10, 137, 11_155_111];
        for (uint256 i = 0; i < real.length; ++i) {
            vm.chainId(real[i]);
            refuseToCreate(
                ACCESS,
                abi.encode(CONSORTIUM, GUARDIAN, 0),
                abi.encodeWithSelector(IFleetrootAccess.DelayTooShort.selector, 0, 1)
            );
            refuseToCreate(
                MANUFACTURERS,
                abi.encode(access, 0, 1),
                abi.encodeWithSelector(IManufacturerRegistry.DeploymentInvalid.selector)
            );
            mustCreate(ACCESS, abi.encode(CONSORTIUM, GUARDIAN, 1));
            mustCreate(MANUFACTURERS, abi.encode(access, 1, 1));
        }
        vm.chainId(1_337);
        mustCreate(ACCESS, abi.encode(CONSORTIUM, GUARDIAN, 0));
        mustCreate(MANUFACTURERS, abi.encode(access, 0, 1));
        vm.chainId(31_337);
    }

    // ---------------------------------------------------------------------------------------------------------- admission

    function test_admit_refusesEverybodyWithoutASchedule() public {
        address[5] memory actors = [CONSORTIUM, GUARDIAN, CONTROLLER, OUTSIDER, address(access)];
        for (uint256 i = 0; i < actors.length; ++i) {
            (bool ok, ) = callAs(actors[i], address(manufacturers), admission);
            isTrue(!ok, "nobody admits at once");
            if (actors[i] == address(access)) continue;
            (ok, ) = callAs(
                actors[i],
                address(access),
                abi.encodeCall(access.execute, (address(manufacturers), admission))
            );
            isTrue(!ok, "nor through the manager");
        }
    }

    /// I1, G2: not a second before its delay; from then on for a week.
    function testFuzz_admit_takesEffectAfterItsDelayOnly(uint256 waitSeed, bool throughManager) public {
        uint256[6] memory edges = [uint256(0), 1, DELAY - 1, DELAY, DELAY + 7 days - 1, DELAY + 7 days];
        uint256 pause = waitSeed % 4 == 0 ? between(waitSeed, 0, DELAY + 8 days) : edges[waitSeed % 6];
        schedule(CONSORTIUM, address(manufacturers), admission);
        wait(pause);

        bytes memory data =
            throughManager ? abi.encodeCall(access.execute, (address(manufacturers), admission)) : admission;
        (bool ok, ) = callAs(CONSORTIUM, throughManager ? address(access) : address(manufacturers), data);

        isTrue(ok == (pause >= DELAY && pause < DELAY + 7 days), "from the delay on, for a week");
        equal(manufacturers.lastManufacturerId(), ok ? 1 : 0, "admitted or not");
    }

    function test_admit_worksOncePerSchedule() public {
        schedule(CONSORTIUM, address(manufacturers), admission);
        wait(DELAY);
        accept(CONSORTIUM, address(manufacturers), admission);
        bytes32 id = access.hashOperation(CONSORTIUM, address(manufacturers), admission);
        refuse(
            CONSORTIUM,
            address(manufacturers),
            admission,
            abi.encodeWithSelector(IAccessManager.AccessManagerNotScheduled.selector, id)
        );
        // Another applicant needs a schedule of its own.
        (bool ok, ) = callAs(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.admit, (CONTROLLER, "Acme Works", "x"))
        );
        isTrue(!ok, "another admission");
    }

    function test_cancel_letsTheGuardianStopAnAdmission() public {
        schedule(CONSORTIUM, address(manufacturers), admission);
        bytes memory cancel = abi.encodeCall(access.cancel, (CONSORTIUM, address(manufacturers), admission));
        (bool ok, ) = callAs(OUTSIDER, address(access), cancel);
        isTrue(!ok, "an outsider cancels nothing");
        accept(GUARDIAN, address(access), cancel);
        wait(DELAY);
        (ok, ) = callAs(CONSORTIUM, address(manufacturers), admission);
        isTrue(!ok, "cancelled");
    }

    // --------------------------------------------------------------------------------------------------- roles and grants

    /// I1, G2: a new role holder waits like an admission.
    function testFuzz_grantRole_takesEffectAfterItsDelayOnly(uint256 waitSeed, uint8 roleSeed) public {
        uint64 role = uint64(between(roleSeed, 0, 3));
        bytes memory grant = abi.encodeCall(access.grantRole, (role, OUTSIDER, DELAY));
        schedule(CONSORTIUM, address(access), grant);
        uint256[4] memory edges = [uint256(0), DELAY - 1, DELAY, DELAY + 1];
        uint256 pause = waitSeed % 2 == 0 ? edges[(waitSeed >> 1) % 4] : between(waitSeed, 0, 2 * DELAY);
        wait(pause);
        (bool ok, ) = callAs(CONSORTIUM, address(access), grant);
        isTrue(ok == (pause >= DELAY), "not before the delay");
        (bool member, ) = access.hasRole(role, OUTSIDER);
        isTrue(member == ok, "member or not");
    }

    function test_grantRole_refusesShorterDelaysForWhoAdmitsOrGrants() public {
        uint32[3] memory delays = [uint32(0), 1, DELAY - 1];
        for (uint256 i = 0; i < delays.length; ++i) {
            for (uint64 role = ADMIN; role <= ADMISSION; ++role) {
                bytes memory grant = abi.encodeCall(access.grantRole, (role, OUTSIDER, delays[i]));
                bytes memory reason = abi.encodeWithSelector(IFleetrootAccess.DelayTooShort.selector, delays[i], DELAY);
                refuse(CONSORTIUM, address(access), grant, reason);
                refuse(OUTSIDER, address(access), grant, reason);
                // Not even with a schedule, nor for one that holds the role.
                schedule(CONSORTIUM, address(access), grant);
                bytes memory self = abi.encodeCall(access.grantRole, (role, CONSORTIUM, delays[i]));
                schedule(CONSORTIUM, address(access), self);
                wait(DELAY);
                refuse(CONSORTIUM, address(access), grant, reason);
                refuse(CONSORTIUM, address(access), self, reason);
                refuse(CONSORTIUM, address(access), abi.encodeCall(access.execute, (address(access), self)), reason);
            }
        }
        holds(ADMIN, CONSORTIUM, DELAY);
        holds(ADMISSION, CONSORTIUM, DELAY);
    }

    /// Whatever is granted later, nobody ever admits at once: a role revoked and granted anew waits too.
    function test_grantRole_afterRevocationStillWaits() public {
        bytes memory revoke = abi.encodeCall(access.revokeRole, (ADMISSION, CONSORTIUM));
        bytes memory grant = abi.encodeCall(access.grantRole, (ADMISSION, OUTSIDER, DELAY));
        schedule(CONSORTIUM, address(access), revoke);
        schedule(CONSORTIUM, address(access), grant);
        wait(DELAY);
        accept(CONSORTIUM, address(access), revoke);
        accept(CONSORTIUM, address(access), grant);
        (bool ok, ) = callAs(CONSORTIUM, address(manufacturers), admission);
        isTrue(!ok, "the old holder admits no more");
        (ok, ) = callAs(OUTSIDER, address(manufacturers), admission);
        isTrue(!ok, "the new holder waits");
        schedule(OUTSIDER, address(manufacturers), admission);
        wait(DELAY);
        accept(OUTSIDER, address(manufacturers), admission);
    }

    function test_lockedFunctions_refuseEverybodyAlways() public {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = IManufacturerRegistry.suspend.selector;
        bytes[9] memory calls = [
            abi.encodeCall(access.setTargetClosed, (address(manufacturers), true)),
            abi.encodeCall(access.setTargetClosed, (address(access), true)),
            abi.encodeCall(access.updateAuthority, (address(manufacturers), OUTSIDER)),
            abi.encodeCall(access.setTargetFunctionRole, (address(manufacturers), selectors, type(uint64).max)),
            abi.encodeCall(access.setTargetAdminDelay, (address(manufacturers), 0)),
            abi.encodeCall(access.setRoleAdmin, (ADMISSION, type(uint64).max)),
            abi.encodeCall(access.setRoleGuardian, (COUNCIL, WATCH)),
            abi.encodeCall(access.setRoleGuardian, (ADMISSION, ADMIN)),
            abi.encodeCall(access.setGrantDelay, (ADMISSION, 0))
        ];
        bytes memory locked = abi.encodeWithSelector(IFleetrootAccess.RuleImmutable.selector);
        for (uint256 i = 0; i < calls.length; ++i) {
            address[3] memory actors = [CONSORTIUM, GUARDIAN, OUTSIDER];
            for (uint256 j = 0; j < actors.length; ++j) refuse(actors[j], address(access), calls[i], locked);
            schedule(CONSORTIUM, address(access), calls[i]);
            wait(DELAY);
            refuse(CONSORTIUM, address(access), calls[i], locked);
            refuse(CONSORTIUM, address(access), abi.encodeCall(access.execute, (address(access), calls[i])), locked);
            bytes[] memory several = new bytes[](1);
            several[0] = calls[i];
            refuse(CONSORTIUM, address(access), abi.encodeCall(access.multicall, (several)), locked);
        }
        equal(manufacturers.authority(), address(access), "authority");
        isTrue(!access.isTargetClosed(address(manufacturers)), "open");
    }

    /// The registries refuse another authority from anybody, the manager included.
    function test_setAuthority_isImpossible() public {
        bytes memory data = abi.encodeCall(manufacturers.setAuthority, (OUTSIDER));
        bytes memory reason = abi.encodeWithSelector(IManufacturerRegistry.AuthorityImmutable.selector);
        address[4] memory actors = [CONSORTIUM, GUARDIAN, OUTSIDER, address(access)];
        for (uint256 i = 0; i < actors.length; ++i) {
            refuse(actors[i], address(manufacturers), data, reason);
            refuse(actors[i], address(devices), data, reason);
        }
        schedule(CONSORTIUM, address(manufacturers), data);
        wait(DELAY);
        refuse(CONSORTIUM, address(access), abi.encodeCall(access.execute, (address(manufacturers), data)), reason);
    }

    // ----------------------------------------------------------------------------------------------------------- guardian

    /// The guardian cancels admissions and nothing else: not its own dismissal, not a resumption that had to wait.
    function test_cancel_isTheGuardiansForAdmissionsOnly() public {
        bytes memory dismissal = abi.encodeCall(access.revokeRole, (WATCH, GUARDIAN));
        schedule(CONSORTIUM, address(access), dismissal);
        cannotCancel(GUARDIAN, CONSORTIUM, address(access), dismissal);

        // A council member who waits by the consortium's own wish.
        address member = address(0xC1);
        bytes memory grant = abi.encodeCall(access.grantRole, (COUNCIL, member, 1 days));
        schedule(CONSORTIUM, address(access), grant);
        cannotCancel(GUARDIAN, CONSORTIUM, address(access), grant);
        schedule(CONSORTIUM, address(manufacturers), admission);
        wait(DELAY);
        accept(CONSORTIUM, address(access), grant);
        accept(CONSORTIUM, address(manufacturers), admission);

        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        bytes memory resumption = abi.encodeCall(manufacturers.resume, (1));
        schedule(member, address(manufacturers), resumption);
        cannotCancel(GUARDIAN, member, address(manufacturers), resumption);
        wait(1 days);
        accept(member, address(manufacturers), resumption);

        accept(CONSORTIUM, address(access), dismissal);
        (bool ok, ) = callAs(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        isTrue(!ok, "dismissed");
    }

    function test_guardian_suspendsAtOnceAndNothingMore() public {
        schedule(CONSORTIUM, address(manufacturers), admission);
        wait(DELAY);
        accept(CONSORTIUM, address(manufacturers), admission);
        bytes[6] memory others = [
            abi.encodeCall(manufacturers.resume, (1)),
            abi.encodeCall(manufacturers.confirmSuspension, (1)),
            abi.encodeCall(manufacturers.proposeController, (1, GUARDIAN)),
            abi.encodeCall(manufacturers.replaceController, (1)),
            abi.encodeCall(manufacturers.admit, (GUARDIAN, "x", "")),
            abi.encodeCall(manufacturers.setAuthority, (GUARDIAN))
        ];
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        for (uint256 i = 0; i < others.length; ++i) {
            (bool ok, ) = callAs(GUARDIAN, address(manufacturers), others[i]);
            isTrue(!ok, "not the guardian's");
            (ok, ) = callAs(
                GUARDIAN,
                address(access),
                abi.encodeCall(access.execute, (address(manufacturers), others[i]))
            );
            isTrue(!ok, "nor through the manager");
        }
        (bool named, ) = callAs(
            GUARDIAN,
            address(devices),
            abi.encodeCall(devices.proposeSuccessor, (1, GUARDIAN, keccak256("code")))
        );
        isTrue(!named, "nor a successor");
    }

    /// G3: the last holder of a role renounces it; what still works and what does not.
    function test_renounceRole_byTheLastHolder() public {
        schedule(CONSORTIUM, address(manufacturers), admission);
        wait(DELAY);
        accept(CONSORTIUM, address(manufacturers), admission);
        for (uint64 role = ADMIN; role <= WATCH; ++role) {
            accept(CONSORTIUM, address(access), abi.encodeCall(access.renounceRole, (role, CONSORTIUM)));
        }
        (bool ok, ) = callAs(CONSORTIUM, address(manufacturers), admission);
        isTrue(!ok, "nobody admits any more");
        // Nothing of the manufacturer depends on governance, and the guardian's suspension lapses by itself.
        accept(GUARDIAN, address(manufacturers), abi.encodeCall(manufacturers.suspend, (1)));
        wait(14 days);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.setMetadataURI, (1, "x")));
        equal(uint8(manufacturers.manufacturer(1).status), 1, "active again");
    }

    /// A contract that the manager is told to call cannot use the moment to call a registry.
    function test_execute_onAForeignTargetGivesNothingAway() public {
        schedule(CONSORTIUM, address(manufacturers), admission);
        wait(DELAY);
        accept(CONSORTIUM, address(manufacturers), admission);
        Meddler meddler = new Meddler(manufacturers);
        accept(
            GUARDIAN,
            address(access),
            abi.encodeCall(access.execute, (address(meddler), abi.encodeCall(manufacturers.suspend, (1))))
        );
        isTrue(meddler.tried() && !meddler.succeeded(), "the meddler got nothing");
        equal(uint8(manufacturers.manufacturer(1).status), 1, "still active");
    }

    function test_getTargetFunctionRole_isWrittenInCode() public view {
        equal(
            access.getTargetFunctionRole(address(manufacturers), IManufacturerRegistry.admit.selector),
            ADMISSION,
            "admit"
        );
        bytes4[2] memory watch = [
            IManufacturerRegistry.suspend.selector,
            IManufacturerRegistry.declareCompromiseFor.selector
        ];
        for (uint256 i = 0; i < watch.length; ++i) {
            equal(access.getTargetFunctionRole(address(manufacturers), watch[i]), WATCH, "guardian");
            equal(access.getTargetFunctionRole(address(access), watch[i]), ADMIN, "on the manager itself: admin");
        }
        bytes4[6] memory council = [
            IManufacturerRegistry.resume.selector,
            IManufacturerRegistry.confirmSuspension.selector,
            IManufacturerRegistry.proposeController.selector,
            IManufacturerRegistry.replaceController.selector,
            ISuccession.proposeSuccessor.selector,
            ISuccession.nameSuccessor.selector
        ];
        for (uint256 i = 0; i < council.length; ++i) {
            equal(access.getTargetFunctionRole(address(manufacturers), council[i]), COUNCIL, "consortium");
        }
        equal(access.getTargetFunctionRole(address(manufacturers), bytes4(0x12345678)), ADMIN, "anything else");
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function holds(uint64 role, address account, uint32 delay) private view {
        (bool member, uint32 found) = access.hasRole(role, account);
        isTrue(member, "holds the role");
        equal(found, delay, "with this delay");
    }

    function schedule(address caller, address target_, bytes memory data) private {
        accept(caller, address(access), abi.encodeCall(access.schedule, (target_, data, 0)));
    }

    function cannotCancel(address guardian, address caller, address target_, bytes memory data) private {
        refuse(
            guardian,
            address(access),
            abi.encodeCall(access.cancel, (caller, target_, data)),
            abi.encodeWithSelector(
                IAccessManager.AccessManagerUnauthorizedCancel.selector,
                guardian,
                caller,
                target_,
                bytes4(data)
            )
        );
    }
}

/// Called by the manager with `suspend`, it tries to suspend for itself.
contract Meddler {
    IManufacturersDoor private immutable REGISTRY;
    bool public tried;
    bool public succeeded;

    constructor(IManufacturersDoor registry) {
        REGISTRY = registry;
    }

    function suspend(uint32 manufacturerId) external {
        tried = true;
        try REGISTRY.suspend(manufacturerId) {
            succeeded = true;
        } catch {}
        (bool ok, ) = msg.sender.call(
            abi.encodeCall(
                IAccessManager.execute,
                (address(REGISTRY), abi.encodeCall(IManufacturerRegistry.suspend, (manufacturerId)))
            )
        );
        if (ok) succeeded = true;
    }
}
