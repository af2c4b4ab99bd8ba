// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IManufacturerRegistry} from "./interfaces/IManufacturerRegistry.sol";

/// @title OpenZeppelin's `AccessManaged` with an authority that never changes.
abstract contract Governed is AccessManaged {
    /// @dev Without a contract there nobody could ever govern this registry.
    constructor(address authority_) AccessManaged(authority_) {
        if (authority_.code.length == 0) revert AccessManagedInvalidAuthority(authority_);
    }

    function setAuthority(address) public pure override {
        revert IManufacturerRegistry.AuthorityImmutable();
    }
}
