// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IManufacturerRegistry} from "./interfaces/IManufacturerRegistry.sol";

/// @title OpenZeppelin's `AccessManaged` with an authority that never changes.
abstract contract Governed is AccessManaged {
    constructor(address authority_) AccessManaged(authority_) {}

    function setAuthority(address) public pure override {
        revert IManufacturerRegistry.AuthorityImmutable();
    }
}
