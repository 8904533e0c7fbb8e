"""What happens to the stack while the tills seal. Each event ends with its fault taken back, not yet healed.

An event returns a note: what was seen of its effect.
"""

import os
import signal
import time
from collections.abc import Callable
from random import Random

from tests.chaos.faults import NOW, failing_calls
from tests.chaos.stack import Node, Stack, new_document_id, wait_until
from tests.chaos.tills import AWAY, SEALED, TIMEOUT, Address, canonical

Event = Callable[[Stack, Random], str]
_NO_SPACE = "No space left on device"
_BEHIND = "the clock shows"
NOTICING = 10.0  # seconds until libfaketime has read its file and a document met it
STARTING = 20.0  # seconds in which a signer is ready, or has said why not
SILENCE = 1.5  # seconds without an answer
FENCED = 8.0  # seconds in which a signer that was replaced says no


class Violated(Exception):
    """Something happened that must not, whatever is done to the stack."""


# --- processes that die ----------------------------------------------------------------------------------------------


def signer_killed(stack: Stack, _random: Random) -> str:
    stack.leader.kill()
    return ""


def signing_process_killed(stack: Stack, random: Random) -> str:
    children = stack.leader.children()
    if not children:
        raise Violated("the signer has no signing process of its own")
    victim = random.choice(children)
    os.kill(victim, signal.SIGKILL)
    return f"one of {len(children)}"


def backend_killed(stack: Stack, random: Random) -> str:
    """PostgreSQL ends every connection and recovers, as after any backend that dies of a signal."""
    os.kill(random.choice(stack.backends()), signal.SIGKILL)
    return ""


def postgres_killed(stack: Stack, _random: Random) -> str:
    stack.kill_postgres()
    return ""


def connections_cut(stack: Stack, _random: Random) -> str:
    """Every connection of the signer at once, its lock's too, while PostgreSQL goes on."""
    cut = stack.backends()
    stack.rows(f"SELECT pg_terminate_backend(pid) FROM unnest(ARRAY{cut}) AS pid")
    return f"{len(cut)} connections"


# --- two signers -----------------------------------------------------------------------------------------------------


def second_signer_refused(stack: Stack, _random: Random) -> str:
    """While one lives, another neither starts to serve nor writes."""
    _expect_refusal(stack.follower, "while the first lives")
    return "refused"


def leader_frozen_and_replaced(stack: Stack, random: Random) -> str:
    """SIGSTOP; a second one is refused until the database has dropped the first, then takes over; SIGCONT: fenced."""
    first, second = stack.leader, stack.follower
    first.send(signal.SIGSTOP)
    try:
        time.sleep(random.uniform(0.2, 0.8))
        _expect_refusal(second, "while the first is stopped and still connected")
        stack.rows(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(ARRAY{stack.backends()}::int[])"
        )
        stack.take_over()
        time.sleep(random.uniform(0.3, 1.0))
    finally:
        first.send(signal.SIGCONT)
    try:
        reply = _ask_to_seal(stack, first)
    finally:
        first.kill()
    return f"{second.name} took over, {first.name} answered {reply}"


def _expect_refusal(node: Node, when: str) -> None:
    node.start()
    deadline = time.monotonic() + STARTING
    try:
        while node.is_running():
            if node.is_ready():
                raise Violated(f"{node.name} became ready {when}")
            if time.monotonic() > deadline:
                return  # it waits, without serving: that is a refusal too
            time.sleep(0.05)
        if node.ended_within(0) == 0:
            raise Violated(f"{node.name} ended without an error {when}")
    finally:
        node.kill()


def _ask_to_seal(stack: Stack, node: Node) -> str:
    """What a signer that was replaced says to a new document: its status, or that it says nothing."""
    document = canonical(stack.outlets[0].payload(new_document_id()))
    try:
        status, _, answer = Address(node.port, stack.signer.api_key(), timeout=FENCED).post(document)
    except AWAY as error:
        return type(error).__name__
    if status in SEALED:
        raise Violated(f"{node.name} sealed after another had taken over: {answer[:300]!r}")
    return str(status)


# --- disks -----------------------------------------------------------------------------------------------------------


def disk_of_postgres_full(stack: Stack, random: Random) -> str:
    before = stack.server_log().count(_NO_SPACE)
    stack.database_disk.fill()
    try:
        deadline = time.monotonic() + random.uniform(3.0, 6.0)
        while time.monotonic() < deadline:
            time.sleep(0.2)
            met = stack.server_log().count(_NO_SPACE) - before
            if met and random.random() < 0.2:
                break
    finally:
        stack.database_disk.free()
    return f"PostgreSQL met it {met} times"


def disk_of_heads_full(stack: Stack, _random: Random) -> str:
    """The head store's disk is full while the signer starts anew."""
    stack.head_disk.fill()
    try:
        stack.leader.kill()
        stack.leader.start()
        time.sleep(2.0)
        serves = stack.leader.is_ready()
    finally:
        stack.head_disk.free()
    return "the signer served without needing space" if serves else "the signer refused to serve"


def write_of_postgres_fails(stack: Stack, random: Random) -> str:
    """fdatasync answers EIO to the connections that commit: PostgreSQL panics and recovers from its log."""
    panics = stack.server_log().count("PANIC")
    with failing_calls(stack.backends(), ["fdatasync"], "EIO", when="1"):
        time.sleep(random.uniform(0.5, 1.5))
    return f"{stack.server_log().count('PANIC') - panics} panics"


def write_of_heads_fails(stack: Stack, _random: Random) -> str:
    """fdatasync answers EIO to the signer, which writes only its head store: until that is written, no answer leaves.

    It lasts longer than a till waits, so that documents are sent again that are in the ledger and not in the store.
    """
    with failing_calls([stack.leader.pid], ["fdatasync", "fsync"], "EIO"):
        before = _when_silent(stack)
        time.sleep(TIMEOUT + 1.0)
        released = stack.answered() - before
    if released:
        raise Violated(f"{released} answers left although the head store could not be written")
    return "no answer left"


def _when_silent(stack: Stack) -> int:
    """The answers so far, once those have arrived that left before the disk failed: a till waits no longer for one.

    :raises Violated: when answers go on
    """
    deadline = time.monotonic() + 2 * TIMEOUT
    count, since = stack.answered(), time.monotonic()
    while time.monotonic() - since < SILENCE:
        time.sleep(0.05)
        if (now := stack.answered()) != count:
            count, since = now, time.monotonic()
        if time.monotonic() > deadline:
            raise Violated("answers go on leaving although the head store cannot be written")
    return count


# --- time ------------------------------------------------------------------------------------------------------------


def clock_stepped_back(stack: Stack, random: Random) -> str:
    """The signer is started by a clock that then steps back, and comes right again. Until then nothing is sealed."""
    back = random.choice((60, 3600, 86400))
    stack.leader.kill()
    stack.leader.start(stack.clock)
    stack.heal()
    time.sleep(random.uniform(0.3, 1.0))
    told = stack.leader.words().count(_BEHIND)
    stack.clock.set(f"-{back}")
    try:
        wait_until(lambda: stack.leader.words().count(_BEHIND) > told, "the signer notices its clock", NOTICING)
        before = stack.answered()
        time.sleep(random.uniform(1.0, 2.0))
        answered = stack.answered() - before
    finally:
        stack.clock.set(NOW)
    if answered > len(stack.outlets) * 2:  # what was on its way to a till when the signer said so
        raise Violated(f"{answered} answers left while the clock was {back} s behind the last entry")
    stack.heal()
    time.sleep(random.uniform(0.3, 1.0))
    stack.leader.kill()
    return f"by {back} s, nothing sealed meanwhile"


EVENTS: dict[str, Event] = {
    event.__name__: event
    for event in (
        signer_killed,
        signing_process_killed,
        backend_killed,
        postgres_killed,
        connections_cut,
        second_signer_refused,
        leader_frozen_and_replaced,
        disk_of_postgres_full,
        disk_of_heads_full,
        write_of_postgres_fails,
        write_of_heads_fails,
        clock_stepped_back,
    )
}
