// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IFleetrootAccess} from "./interfaces/IFleetrootAccess.sol";
import {IManufacturerRegistry} from "./interfaces/IManufacturerRegistry.sol";
import {ISuccession} from "./interfaces/ISuccession.sol";
import {TestChains} from "./libraries/TestChains.sol";

/// @title The governors' door: who may admit, suspend and resume, and how long each waits.
/// @dev An OpenZeppelin `AccessManager` whose rules are fixed: which function needs which role is code, not state, so that
/// neither a closed target nor another authority nor a shorter delay can ever be set.
contract FleetrootAccess is IFleetrootAccess, AccessManager {
    uint64 public constant ADMISSION_ROLE = 1;
    uint64 public constant CONSORTIUM_ROLE = 2;
    uint64 public constant GUARDIAN_ROLE = 3;

    /// @inheritdoc IFleetrootAccess
    uint32 public immutable minimumDelay;

    /// @param consortium Admits, resumes, confirms, replaces controllers, names successors and grants roles: a multisig.
    /// @param guardian Suspends and cancels admissions: a multisig, or a watchman.
    /// @param delay Seconds before an admission or a change of roles takes effect: 48 h; zero on test chains only.
    constructor(address consortium, address guardian, uint32 delay) AccessManager(consortium) {
        if (guardian == address(0)) revert AccessManagerInvalidInitialAdmin(guardian);
        if (delay == 0 && !TestChains.isTestChain()) revert DelayTooShort(delay, 1);
        minimumDelay = delay;

        // The parent's constructor made `consortium` the admin without a delay; raising a delay takes effect at once.
        _grantRole(ADMIN_ROLE, consortium, 0, delay);
        _grantRole(ADMISSION_ROLE, consortium, 0, delay);
        _grantRole(CONSORTIUM_ROLE, consortium, 0, 0);
        _grantRole(GUARDIAN_ROLE, consortium, 0, 0);
        _grantRole(GUARDIAN_ROLE, guardian, 0, 0);

        // A guardian cancels admissions. It cancels nothing else: not a resumption, not its own dismissal.
        _setRoleGuardian(ADMISSION_ROLE, GUARDIAN_ROLE);
    }

    /// @notice The role that a function needs, on whatever registry. Functions that are not listed are not restricted by
    /// this contract at all.
    function getTargetFunctionRole(address target, bytes4 selector) public view override returns (uint64 roleId) {
        if (target == address(this)) return ADMIN_ROLE;
        if (selector == IManufacturerRegistry.admit.selector) return ADMISSION_ROLE;
        if (
            selector == IManufacturerRegistry.suspend.selector ||
            selector == IManufacturerRegistry.declareCompromiseFor.selector
        ) return GUARDIAN_ROLE;
        if (
            selector == IManufacturerRegistry.resume.selector ||
            selector == IManufacturerRegistry.confirmSuspension.selector ||
            selector == IManufacturerRegistry.proposeController.selector ||
            selector == IManufacturerRegistry.replaceController.selector ||
            selector == ISuccession.proposeSuccessor.selector ||
            selector == ISuccession.nameSuccessor.selector
        ) return CONSORTIUM_ROLE;
        return ADMIN_ROLE;
    }

    /// @notice Grants a role. Whoever can admit or grant waits at least the delay set at deployment.
    function grantRole(uint64 roleId, address account, uint32 executionDelay) public override {
        if ((roleId == ADMIN_ROLE || roleId == ADMISSION_ROLE) && executionDelay < minimumDelay) {
            revert DelayTooShort(executionDelay, minimumDelay);
        }
        super.grantRole(roleId, account, executionDelay);
    }

    function setTargetFunctionRole(address, bytes4[] calldata, uint64) public pure override {
        revert RuleImmutable();
    }

    function setTargetClosed(address, bool) public pure override {
        revert RuleImmutable();
    }

    function setTargetAdminDelay(address, uint32) public pure override {
        revert RuleImmutable();
    }

    function updateAuthority(address, address) public pure override {
        revert RuleImmutable();
    }

    function setRoleAdmin(uint64, uint64) public pure override {
        revert RuleImmutable();
    }

    function setRoleGuardian(uint64, uint64) public pure override {
        revert RuleImmutable();
    }

    function setGrantDelay(uint64, uint32) public pure override {
        revert RuleImmutable();
    }
}
