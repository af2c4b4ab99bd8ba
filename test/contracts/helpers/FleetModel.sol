// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {PlainMerkleTree} from "../PlainMerkleTree.sol";
import {World} from "./World.sol";

/// @notice What the registries should hold, kept the plain way: three manufacturers, three series, three trees, hot indices.
abstract contract FleetModel is World {
    struct ModelKey {
        uint8 purpose;
        uint40 registeredAt;
        uint40 notBefore;
        uint40 notAfter;
        uint40 revokedAt;
        uint40 compromisedSince;
        uint256 privateKey;
    }

    struct ModelManufacturer {
        address controller;
        uint8 status;
        uint40 statusSince;
        uint40 suspendedUntil;
        address pending;
        address proposed;
        uint40 replacementAt;
        uint8 epoch;
        uint32 keyCount;
    }

    struct ModelGrant {
        uint8 rights;
        uint8 epoch;
        uint40 until;
    }

    struct ModelBatch {
        uint256 tree;
        bytes32 root;
        uint32 size;
        uint32 keyIndex;
        uint40 registeredAt;
        uint40 notAfter;
        uint8 mark;
        uint8 flags;
        uint40 changedAt;
        uint8 reason;
        uint256[3] bits;
    }

    struct ModelRecord {
        uint40 registeredAt;
        uint40 changedAt;
        uint40 notAfter;
        uint40 invalidityDate;
        uint32 keyIndex;
        uint8 mark;
        uint8 reason;
    }

    struct ModelVerdict {
        uint8 status;
        uint8 reason;
        uint40 since;
    }

    uint8 internal constant ACTIVE = 1;
    uint8 internal constant SUSPENDED = 2;
    uint8 internal constant LEFT = 3;
    uint8 internal constant HELD = 1;
    uint8 internal constant REVOKED = 2;
    uint256 internal constant TREES = 3;

    uint32[3] internal seriesOf = [1, 2, 1 << 31];
    uint32[3] internal sizeOf = [1, 257, 600];
    bytes32[3] internal rootOf;
    mapping(uint256 tree => uint32[] indices) internal hot;
    mapping(uint256 tree => mapping(uint32 index => bytes32 credentialHash)) internal credentialAt;
    mapping(uint256 tree => mapping(uint32 index => bytes32[] proof)) internal proofAt;
    /// All credentials at hot places, then two device key ids.
    bytes32[] internal subjects;
    uint256 internal credentials;
    /// Devices with raw public keys, at one place each: tree 1, index 256, and tree 2, index 1.
    uint256[2] internal deviceKeys = [uint256(0xd1), 0xd2];

    mapping(uint32 manufacturerId => ModelManufacturer) internal man;
    mapping(uint32 manufacturerId => mapping(uint32 keyIndex => ModelKey)) internal keyOf;
    mapping(bytes32 keyId => uint32 manufacturerId) internal ownerOf;
    mapping(uint32 manufacturerId => mapping(address account => ModelGrant)) internal grantOf;
    mapping(uint32 manufacturerId => mapping(uint32 series => ModelBatch)) internal batchOf;
    mapping(uint32 manufacturerId => mapping(bytes32 subject => ModelRecord)) internal recordOf;

    // --------------------------------------------------------------------------------------------------------------- trees

    function growTrees() internal {
        for (uint256 tree = 0; tree < TREES; ++tree) {
            uint32 size = sizeOf[tree];
            bytes32[] memory leaves = new bytes32[](size);
            for (uint32 i = 0; i < size; ++i) leaves[i] = keccak256(abi.encode("credential", tree, i));
            if (tree == 1) leaves[256] = sha256(payloadOf(deviceKeys[0]));
            if (tree == 2) leaves[1] = sha256(payloadOf(deviceKeys[1]));
            rootOf[tree] = PlainMerkleTree.root(leaves, 0, size);
            uint32[6] memory indices = [0, 1, 255, 256, 257, size - 1];
            for (uint256 i = 0; i < 6; ++i) {
                uint32 index = indices[i];
                if (index >= size || credentialAt[tree][index] != 0) continue;
                hot[tree].push(index);
                credentialAt[tree][index] = leaves[index];
                proofAt[tree][index] = PlainMerkleTree.path(index, leaves, 0, size);
                subjects.push(leaves[index]);
            }
        }
        credentials = subjects.length;
        subjects.push(keyIdOf(deviceKeys[0]));
        subjects.push(keccak256("another device key"));
    }

    /// The COSE payload of a raw public key object: the CBOR map {1: key, 2: 0, 3: 2^32 - 1, 4: sixteen octets}.
    function payloadOf(uint256 privateKey) internal pure returns (bytes memory) {
        return bytes.concat(hex"a401585b", spkiOf(privateKey), hex"0200031affffffff0450", bytes16(keccak256("id")));
    }

    // -------------------------------------------------------------------------------------------------------------- rights

    function statusNow(uint32 m) internal view returns (uint8 status, uint40 since) {
        ModelManufacturer storage x = man[m];
        if (x.status == SUSPENDED && x.suspendedUntil != 0 && time() >= x.suspendedUntil) {
            return (ACTIVE, x.suspendedUntil);
        }
        return (x.status, x.statusSince);
    }

    function isActive(uint32 m) internal view returns (bool) {
        (uint8 status, ) = statusNow(m);
        return status == ACTIVE;
    }

    function may(uint32 m, address actor, uint8 right) internal view returns (bool) {
        if (actor == man[m].controller) return true;
        ModelGrant storage grant = grantOf[m][actor];
        return grant.epoch == man[m].epoch && time() < grant.until && grant.rights & right != 0;
    }

    function isCurrent(uint32 m, uint32 keyIndex, uint8 purpose) internal view returns (bool) {
        ModelKey storage k = keyOf[m][keyIndex];
        return
            k.registeredAt != 0 &&
            k.purpose == purpose &&
            time() >= k.notBefore &&
            time() < k.notAfter &&
            k.revokedAt == 0 &&
            k.compromisedSince == 0;
    }

    // ------------------------------------------------------------------------------------------------------------ verdicts

    /// What `statusOf` must say of a hot place of `tree`, asked for the series `series`.
    function verdictOf(
        uint32 m,
        uint32 series,
        uint256 tree,
        uint32 index,
        bytes32 keyId
    ) internal view returns (ModelVerdict memory) {
        ModelBatch storage b = batchOf[m][series];
        if (b.size == 0 || b.tree != tree) return ModelVerdict(0, 0, 0);
        ModelKey storage k = keyOf[m][b.keyIndex];
        if (k.compromisedSince != 0 && k.compromisedSince <= b.registeredAt) {
            return ModelVerdict(3, 2, k.compromisedSince);
        }
        if (b.mark == REVOKED) return ModelVerdict(3, b.reason, b.changedAt);
        ModelVerdict memory marked = markOf(m, credentialAt[tree][index], keyId);
        if (marked.status == 3) return marked;
        if ((b.bits[index / 256] >> (index % 256)) & 1 == 1) return ModelVerdict(3, 0, 0);
        if (marked.status == 2) return marked;
        if (b.mark == HELD) return ModelVerdict(2, 6, b.changedAt);
        return standing(m, k.revokedAt, b.registeredAt, b.notAfter);
    }

    function verdictOfRecord(
        uint32 m,
        bytes32 credentialHash,
        bytes32 keyId
    ) internal view returns (ModelVerdict memory) {
        ModelVerdict memory marked = markOf(m, credentialHash, keyId);
        if (marked.status == 3) return marked;
        ModelRecord storage r = recordOf[m][credentialHash];
        if (r.registeredAt == 0) return ModelVerdict(0, 0, 0);
        ModelKey storage k = keyOf[m][r.keyIndex];
        if (k.compromisedSince != 0 && k.compromisedSince <= r.registeredAt) {
            return ModelVerdict(3, 2, k.compromisedSince);
        }
        if (marked.status == 2) return marked;
        return standing(m, k.revokedAt, r.registeredAt, r.notAfter);
    }

    function markOf(uint32 m, bytes32 credentialHash, bytes32 keyId) internal view returns (ModelVerdict memory) {
        ModelRecord storage c = recordOf[m][credentialHash];
        ModelRecord storage k = recordOf[m][keyId];
        if (c.mark == REVOKED) return ModelVerdict(3, c.reason, c.changedAt);
        if (k.mark == REVOKED) return ModelVerdict(3, k.reason, k.changedAt);
        if (c.mark == HELD) return ModelVerdict(2, 6, c.changedAt);
        if (k.mark == HELD) return ModelVerdict(2, 6, k.changedAt);
        return ModelVerdict(0, 0, 0);
    }

    function standing(
        uint32 m,
        uint40 retiredAt,
        uint40 registeredAt,
        uint40 notAfter
    ) private view returns (ModelVerdict memory) {
        (uint8 status, uint40 since) = statusNow(m);
        if (status == SUSPENDED) return ModelVerdict(2, 6, since);
        if (status == LEFT && registeredAt >= since) return ModelVerdict(0, 0, 0);
        if (retiredAt != 0 && registeredAt >= retiredAt) return ModelVerdict(0, 0, 0);
        if (notAfter != 0 && time() > notAfter) return ModelVerdict(4, 0, notAfter);
        return ModelVerdict(1, 0, registeredAt);
    }

    function countBits(uint256 bits) internal pure returns (uint32 count) {
        for (; bits != 0; bits &= bits - 1) ++count;
    }
}
