"""The commands of ``bonopay-signer``, one module per capability."""
