"""What a token says of itself and of its keys, for ``token show``, ``key list`` and the protocol of a ceremony."""

import pkcs11
from msgspec import Struct
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag

from bonopay_signer.hsm import keys, token
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.cryptoki import library
from bonopay_signer.hsm.errors import KeyMissing
from bonopay_signer.hsm.protocol import Origin, TokenFacts

_PIN_STATES = (
    (TokenFlag.USER_PIN_LOCKED, "locked"),
    (TokenFlag.USER_PIN_FINAL_TRY, "one try left"),
    (TokenFlag.USER_PIN_COUNT_LOW, "a wrong one was given"),
)


class TokenState(Struct, frozen=True):
    """`facts` as in a protocol, the slot of now, what the token tells of the user's PIN, and whether it signs raw."""

    facts: TokenFacts
    slot: int
    user_pin: str
    signs_raw_ecdsa: bool


class KeyState(Struct, frozen=True):
    """A P-256 key by label; `key_id` is null and `troubles` says why when it cannot be used at all.

    `troubles` names attributes too that are not as a ceremony requires them.
    """

    label: str
    key_id: str | None
    troubles: list[str]


def show_token(address: TokenAddress) -> TokenState:
    """Of the token at ``address``, without its PIN. Raises HsmUnavailable."""
    with token.told_as_unavailable("the token cannot be shown", address):
        found = token.find_token(address)
        return TokenState(
            token_facts(address, found, "found"),
            found.slot.slot_id,
            _user_pin(found.flags),
            Mechanism.ECDSA in found.slot.get_mechanisms(),
        )


def list_keys(address: TokenAddress, pin: str) -> list[KeyState]:
    """Every elliptic-curve key pair of the token by label. Raises PinRefused, HsmUnavailable."""
    with token.told_as_unavailable("the keys cannot be listed", address), token.log_in(address, pin) as session:
        wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.KEY_TYPE: KeyType.EC}
        labels = sorted({key[Attribute.LABEL] for key in session.get_objects(wanted)})
        return [_key_state(session, label) for label in labels]


def token_facts(address: TokenAddress, found: pkcs11.Token, origin: Origin) -> TokenFacts:
    loaded = library(address.module, address.parameters)
    return TokenFacts(
        origin=origin,
        module=address.module,
        library=f"{loaded.library_description} ({loaded.manufacturer_id})",
        library_version=_version(loaded.library_version),
        label=found.label,
        serial=token.serial_text(found),
        model=found.model,
        manufacturer=found.manufacturer_id,
        hardware_version=_version(found.hardware_version),
        firmware_version=_version(found.firmware_version),
        mechanisms=sorted(_mechanism_name(mechanism) for mechanism in found.slot.get_mechanisms()),
    )


def _key_state(session: pkcs11.Session, label: str) -> KeyState:
    try:
        private, public = keys.find_key(session, label)
    except KeyMissing as error:
        return KeyState(label, None, [str(error)])
    return KeyState(label, public.key_id, keys.violations(keys.attributes(private)))


def _user_pin(flags: TokenFlag) -> str:
    if not flags & TokenFlag.USER_PIN_INITIALIZED:
        return "not initialised"
    return next((words for flag, words in _PIN_STATES if flags & flag), "good")


def _mechanism_name(mechanism: Mechanism | int) -> str:
    return f"CKM_{mechanism.name}" if isinstance(mechanism, Mechanism) else f"0x{int(mechanism):08X}"


def _version(numbers: tuple[int, int]) -> str:
    return ".".join(map(str, numbers))
