"""The ledger as a transparency log: Merkle tree, signed checkpoints, proofs, cosignatures of witnesses."""
