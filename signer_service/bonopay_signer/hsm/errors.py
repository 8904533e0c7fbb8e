"""Why nothing could be signed. No PKCS#11 in here: the service's process knows these words and no token."""


class HsmUnavailable(Exception):
    """The token does not answer, or not as it must. Nothing was signed that left `hsm`."""


class KeyMissing(HsmUnavailable):
    """The token answers but holds no sealing key of the configured label, or one that must not be used."""


class TokenUnfit(HsmUnavailable):
    """The token answers but cannot do what a seal needs, for instance it has no raw ECDSA."""


class PinRefused(HsmUnavailable):
    """The token refuses the PIN. Tokens lock themselves after a few wrong ones, so this one is not given again."""
