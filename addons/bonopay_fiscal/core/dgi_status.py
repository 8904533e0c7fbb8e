"""How an outlet stands with the DGI, as the signer tells it (contracts §5): read with care, nothing guessed.

What a later version of the signer adds is not an error: an unknown code keeps its words, an unknown level counts as a
warning, a member that is absent or of another type counts as not told.
"""

from dataclasses import dataclass

from . import told

#: Levels of an alarm, the mildest first.
LEVELS = ("notice", "warning", "critical", "overdue")
#: Levels that a person is called for.
URGENT_LEVELS = frozenset({"critical", "overdue"})
#: Alarms that a person is called for at any level: of a silent MCF the screen has to warn every day (SFE §1.6.1).
URGENT_CODES = frozenset({"mcf_silent"})
#: Documents under way in these states are not sealed yet: nothing of them waits for the DGI's verdict.
_BEFORE_THE_SEAL = frozenset({"reserved", "prepared", "cancelling"})
_LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Status:
    """One item of ``GET /api/v1/sync/status``.

    :ivar values: fields of the outlet; moments are naive UTC, ``None`` where nothing was told
    :ivar alarms: code → fields of the alarm
    :ivar devices: fields of each device, in the signer's order
    """

    values: dict
    alarms: dict[str, dict]
    devices: list[dict]


def parse(item: dict) -> Status:
    """The status that an item tells.

    >>> parse({"outlet_id": "KIN001", "counts": {"queued": 2, "prepared": 1}}).values["waiting_count"]
    2
    >>> parse({"alarms": [{"code": "moon_full", "level": "lunar"}]}).alarms["moon_full"]["level"]
    'warning'
    """
    oldest, contact = _object(item.get("oldest_waiting")), _object(item.get("contact"))
    counts = {name: number for name, number in _object(item.get("counts")).items() if name not in _BEFORE_THE_SEAL}
    values = {
        "waiting_count": told.count(sum(told.count(number) for number in counts.values())),
        "oldest_number": _text(oldest.get("fiscal_number")),
        "oldest_sealed_at": told.moment(oldest.get("sealed_at")),
        "oldest_deadline": told.moment(oldest.get("deadline")),
        "rejected_count": told.count(_object(item.get("rejected")).get("count")),
        "token_expires_at": told.moment(item.get("token_expires_at")),
        "dgi_answered_at": told.moment(contact.get("answered_at")),
        "dgi_silent_since": told.moment(contact.get("silent_since")),
        "dgi_closed": item.get("closed") is True,
    }
    return Status(values, _alarms(item.get("alarms")), [_device(device) for device in _objects(item.get("devices"))])


def _alarms(items: object) -> dict[str, dict]:
    """Code → alarm; of a code that comes twice the worse one."""
    alarms: dict[str, dict] = {}
    for item in _objects(items):
        code = _text(item.get("code"))
        level = item.get("level")
        level = level if level in LEVELS else "warning"
        if not code or (code in alarms and LEVELS.index(level) <= LEVELS.index(alarms[code]["level"])):
            continue
        message, step = _object(item.get("message")), _object(item.get("next_step"))
        alarms[code] = {
            "code": code,
            "level": level,
            "since": told.moment(item.get("since")),
            "message_fr": _text(message.get("fr")),
            "message_en": _text(message.get("en")),
            "next_step_fr": _text(step.get("fr")),
            "next_step_en": _text(step.get("en")),
        }
    return alarms


def _device(item: dict) -> dict:
    backlog = item.get("backlog")
    return {
        "kind": _one_of(item.get("kind"), ("emcf", "mcf")),
        "role": _one_of(item.get("role"), ("main", "spare")),
        "nim": _text(item.get("nim")),
        "in_use": item.get("in_use") is True,
        "breaker": _one_of(item.get("breaker"), ("closed", "open", "half_open")),
        "answered_at": told.moment(item.get("answered_at")),
        "silent_since": told.moment(item.get("silent_since")),
        "backlog": told.count(backlog),
        "backlog_known": isinstance(backlog, int),
        "last_dgi_contact": told.moment(item.get("last_dgi_contact")),
    }


def _object(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _one_of(value: object, known: tuple[str, ...]) -> str | None:
    return value if value in known else None


def _text(value: object) -> str | None:
    return told.text(value, _LONGEST_TEXT)
