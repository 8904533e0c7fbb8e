"""``C_InitToken``, the one Cryptoki call that python-pkcs11 does not offer, through the module's own function list.

Initialising through PKCS#11 itself works with every vendor's module and keeps PINs off command lines.
"""

import ctypes

_CKR_OK = 0
_CKR_ALREADY_INITIALIZED = 0x191
_CKF_TOKEN_INITIALIZED = 0x400
_LABEL_SIZE = 32
# Positions in CK_FUNCTION_LIST (PKCS #11 v2.40 §5), which has been the same since v2.01.
_C_INITIALIZE, _C_FINALIZE, _C_GET_SLOT_LIST, _C_GET_TOKEN_INFO, _C_INIT_TOKEN = 0, 1, 4, 6, 9


class CryptokiError(Exception):
    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call} answered 0x{code:08X}")


class _FunctionList(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("calls", ctypes.c_void_p * 68)]


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


class _Module:
    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        pointer = ctypes.POINTER(_FunctionList)()
        code = self._library.C_GetFunctionList(ctypes.byref(pointer))
        if code != _CKR_OK:
            raise CryptokiError("C_GetFunctionList", code)
        self._functions = pointer.contents.calls

    def call(self, name: str, position: int, *arguments: object, allowed: tuple[int, ...] = ()) -> None:
        function = ctypes.CFUNCTYPE(ctypes.c_ulong)(self._functions[position])
        code = function(*arguments)
        if code != _CKR_OK and code not in allowed:
            raise CryptokiError(name, code)

    def slots_with_token(self) -> list[int]:
        count = ctypes.c_ulong()
        self.call("C_GetSlotList", _C_GET_SLOT_LIST, ctypes.c_ubyte(1), None, ctypes.byref(count))
        slots = (ctypes.c_ulong * count.value)()
        self.call("C_GetSlotList", _C_GET_SLOT_LIST, ctypes.c_ubyte(1), slots, ctypes.byref(count))
        return list(slots[: count.value])

    def is_initialised(self, slot: int) -> bool:
        info = _TokenInfo()
        self.call("C_GetTokenInfo", _C_GET_TOKEN_INFO, ctypes.c_ulong(slot), ctypes.byref(info))
        return bool(info.flags & _CKF_TOKEN_INITIALIZED)


def init_token(module_path: str, label: str, so_pin: str) -> None:
    """Initialise the first blank token of the module under ``label``. Raises CryptokiError, or LookupError without one.

    Never touches a token that is already initialised: C_InitToken would destroy its keys.
    """
    module = _Module(module_path)
    module.call("C_Initialize", _C_INITIALIZE, None, allowed=(_CKR_ALREADY_INITIALIZED,))
    try:
        blank = next((slot for slot in module.slots_with_token() if not module.is_initialised(slot)), None)
        if blank is None:
            raise LookupError("the module offers no blank token")
        pin = so_pin.encode()
        padded = label.encode().ljust(_LABEL_SIZE)
        module.call("C_InitToken", _C_INIT_TOKEN, ctypes.c_ulong(blank), pin, ctypes.c_ulong(len(pin)), padded)
    finally:
        module.call("C_Finalize", _C_FINALIZE, None)
