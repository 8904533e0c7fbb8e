"""Which token of which PKCS#11 module."""

from msgspec import Struct


class TokenAddress(Struct, frozen=True, omit_defaults=True):
    """A PKCS#11 module and the one token of it that `label`, `serial` and `slot` name; what is None does not count.

    `module` is a path, or a name that the loader finds; `libp11-kit.so.0` stands for every module registered on the
    machine. `parameters` is the text some modules want in `CK_C_INITIALIZE_ARGS.pReserved` (NSS softokn: where its
    database lies).
    """

    module: str
    label: str | None = None
    serial: str | None = None
    slot: int | None = None
    parameters: str | None = None

    @property
    def name(self) -> str:
        """The token in words, for messages."""
        parts = {"label": self.label, "serial": self.serial, "slot": self.slot}
        return ", ".join(f"{name} {value!r}" for name, value in parts.items() if value is not None) or "any token"
