"""The steps of the exchange, named after what a client wants, told from the method and the path."""

STATUS, PREPARE, CONFIRM, CANCEL, DETAILS, TABLES = STEPS = (
    "status",
    "prepare",
    "confirm",
    "cancel",
    "details",
    "tables",
)
BASE = "/edef/api/"
BY_SHAPE = {("GET", 1): STATUS, ("POST", 1): PREPARE, ("GET", 2): DETAILS}


def step_of(method: str, path: str) -> str | None:
    """One of STEPS; None for a call that the e-MCF does not know."""
    room, *rest = _parts(path)
    if room == "info" and method == "GET" and len(rest) == 1:
        return STATUS if rest[0] == "status" else TABLES
    if room != "invoice":
        return None
    if method == "PUT" and len(rest) == 2:
        action = rest[1].lower()
        return action if action in (CONFIRM, CANCEL) else None
    return BY_SHAPE.get((method, 1 + len(rest)))


def uid_of(path: str) -> str:
    """The uid that a call on one invoice names, in lower case as it was given out; empty for the other calls."""
    return "".join(_parts(path)[1:2]).lower()


def _parts(path: str) -> list[str]:
    return path.removeprefix(BASE).strip("/").split("/")
