"""The Cryptoki calls that python-pkcs11 makes otherwise than needed, through the module's own function list.

`C_Initialize`: python-pkcs11 passes no arguments, hence not `CKF_OS_LOCKING_OK`, although it releases the GIL around
every call: SoftHSM then switches its mutexes off and crashes the process as soon as two threads sign. Nor can it pass
the parameters that NSS softokn and some vendors' modules want in `pReserved`. `C_InitToken`: it has none.
"""

import atexit
import ctypes
import logging
import threading

from pkcs11 import _pkcs11
from pkcs11.exceptions import PKCS11Error

_logger = logging.getLogger(__name__)
_CKR_OK = 0
_CKR_CANT_LOCK = 0x0A
_CKR_ALREADY_INITIALIZED = 0x191
_CKF_OS_LOCKING_OK = 0x02
_CKF_TOKEN_INITIALIZED = 0x400
_LABEL_SIZE = 32
# Positions in CK_FUNCTION_LIST (PKCS #11 v2.40 §5), which has been the same since v2.01.
_C_INITIALIZE, _C_FINALIZE, _C_GET_SLOT_LIST, _C_GET_TOKEN_INFO, _C_INIT_TOKEN = 0, 1, 4, 6, 9


class CryptokiError(Exception):
    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call} answered 0x{code:08X}")
        self.code = code


class NoBlankToken(Exception):
    def __init__(self) -> None:
        super().__init__("the module offers no blank token, and an initialised one is never overwritten")


class _FunctionList(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("calls", ctypes.c_void_p * 68)]


class _InitializeArguments(ctypes.Structure):
    # NSS puts its parameters where the standard has pReserved, and its own pReserved behind.
    _fields_ = [
        ("mutex_calls", ctypes.c_void_p * 4),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_char_p),
        ("reserved_of_nss", ctypes.c_void_p),
    ]


class _TokenInfo(ctypes.Structure):
    _fields_ = [
        ("label", ctypes.c_char * _LABEL_SIZE),
        ("manufacturer", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serial", ctypes.c_char * 16),
        ("flags", ctypes.c_ulong),
        ("counts", ctypes.c_ulong * 10),
        ("versions", ctypes.c_ubyte * 4),
        ("utc_time", ctypes.c_char * 16),
    ]


class Library(_pkcs11.lib):
    """A PKCS#11 module in python-pkcs11's hands, initialised with locking and parameters.

    Raises PKCS11Error when the module cannot be loaded, CryptokiError when it cannot be initialised.
    """

    def __new__(cls, module: str, parameters: str | None) -> "Library":
        library = super().__new__(cls, module)
        library._functions = _functions(module)
        library._parameters = parameters.encode() if parameters is not None else None
        return library

    def __init__(self, module: str, parameters: str | None) -> None:
        super().__init__(module)

    def initialize(self) -> None:
        arguments = _InitializeArguments(flags=_CKF_OS_LOCKING_OK, reserved=self._parameters)
        try:
            self._call("C_Initialize", _C_INITIALIZE, ctypes.byref(arguments), allowed=(_CKR_ALREADY_INITIALIZED,))
        except CryptokiError as error:
            if error.code != _CKR_CANT_LOCK:
                raise
            arguments.flags = 0  # a module without locks serves a process of one thread all the same
            self._call("C_Initialize", _C_INITIALIZE, ctypes.byref(arguments))
        # p11-kit hands out a new function list, to be initialised by itself, whenever it is asked for one.
        try:
            super().initialize()
        except PKCS11Error as error:
            if "already initialized" not in str(error):  # it has no class of its own
                raise

    def finalize(self) -> None:
        if self.initialized:
            super().finalize()
        self._call("C_Finalize", _C_FINALIZE, None)

    def init_token(self, label: str, so_pin: str, serial: str | None = None) -> None:
        """Initialise the first blank token, of that serial number if one is given, under ``label``.

        Raises CryptokiError, NoBlankToken. Never touches a token that is already initialised: C_InitToken would
        destroy its keys.
        """
        blank = next((slot for slot in self._slots_with_token() if self._is_blank(slot, serial)), None)
        if blank is None:
            raise NoBlankToken
        pin = so_pin.encode()
        padded = label.encode().ljust(_LABEL_SIZE)
        self._call("C_InitToken", _C_INIT_TOKEN, ctypes.c_ulong(blank), pin, ctypes.c_ulong(len(pin)), padded)

    def _call(self, name: str, position: int, *arguments: object, allowed: tuple[int, ...] = ()) -> None:
        code = ctypes.CFUNCTYPE(ctypes.c_ulong)(self._functions[position])(*arguments)
        if code != _CKR_OK and code not in allowed:
            raise CryptokiError(name, code)

    def _slots_with_token(self) -> list[int]:
        count = ctypes.c_ulong()
        self._call("C_GetSlotList", _C_GET_SLOT_LIST, ctypes.c_ubyte(1), None, ctypes.byref(count))
        slots = (ctypes.c_ulong * count.value)()
        self._call("C_GetSlotList", _C_GET_SLOT_LIST, ctypes.c_ubyte(1), slots, ctypes.byref(count))
        return list(slots[: count.value])

    def _is_blank(self, slot: int, serial: str | None) -> bool:
        info = _TokenInfo()
        self._call("C_GetTokenInfo", _C_GET_TOKEN_INFO, ctypes.c_ulong(slot), ctypes.byref(info))
        of_serial = serial is None or info.serial.decode("ascii", "replace").strip("\0 ") == serial
        return of_serial and not info.flags & _CKF_TOKEN_INITIALIZED


_loaded: dict[tuple[str, str | None], Library] = {}
_loading = threading.Lock()


def library(module: str, parameters: str | None = None) -> Library:
    """The module, loaded and initialised once in this process. Raises as `Library` does."""
    with _loading:
        known = _loaded.get((module, parameters))
        if known is None:
            known = _loaded[module, parameters] = Library(module, parameters)
            # For ever: its __dealloc__ looks for a method that a class torn down at the end of the process has no more.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(known))
            atexit.register(_finalize, known)
        return known


def _finalize(loaded: Library) -> None:
    """At the end of the process, so that a token does not keep our sessions."""
    try:
        loaded.finalize()
    except (PKCS11Error, CryptokiError) as error:
        _logger.info("finalising the PKCS#11 module answered %s", error or type(error).__name__)


def _functions(module: str) -> ctypes.Array[ctypes.c_void_p]:
    pointer = ctypes.POINTER(_FunctionList)()
    code = ctypes.CDLL(module).C_GetFunctionList(ctypes.byref(pointer))
    if code != _CKR_OK:
        raise CryptokiError("C_GetFunctionList", code)
    return pointer.contents.calls
