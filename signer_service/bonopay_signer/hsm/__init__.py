"""The token that holds the sealing key. Nothing else in the service touches PKCS#11."""
