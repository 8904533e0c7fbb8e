"""Any sequence of sales, credits, replays, faults, deaths, power failures, full disks and clocks that go wrong.

Hypothesis prints the steps of a failure, and how to repeat them.
"""

import asyncio
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from .faults import Fault, Plan
from .stage import Stage
from .world import World

LETTERS = st.sampled_from("DEIJ")
FAULTS = st.sampled_from([fault for fault in Fault if "STALL" not in fault.name])


class Outlets(RuleBasedStateMachine):
    """Clients of four outlets, and what happens to their signer."""

    stage: Stage

    @initialize(power=st.booleans())
    def begin(self, power: bool) -> None:
        self.world = World(self.stage, Plan(), power)
        self.stage.run(self.world.boot())

    @rule(letters=st.lists(LETTERS, min_size=1, max_size=6))
    def sell(self, letters: list[str]) -> None:
        self.stage.run(self.world.send_together([self.world.new(letter) for letter in letters]))

    @rule(letters=st.lists(LETTERS, min_size=1, max_size=3))
    def sell_and_go_away(self, letters: list[str]) -> None:
        """Sent once, whatever comes of it; asked for again at the end."""
        if self.world.process is not None:
            documents = [self.world.new(letter) for letter in letters]
            self.stage.run(all_at_once(self.world, documents))

    @precondition(lambda self: self.world.answers)
    @rule(data=st.data(), letters=st.lists(LETTERS, min_size=1, max_size=3))
    def credit(self, data: st.DataObject, letters: list[str]) -> None:
        """Several tills credit the whole of one sale: one of them may."""
        sales = [known for known in self.world.answers if self.world.documents[known]["invoice_type"] == "FV"]
        sale = data.draw(st.sampled_from(sales))
        self.stage.run(self.world.send_together([self.world.credit_of(sale, letter) for letter in letters]))

    @precondition(lambda self: self.world.answers)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        self.stage.run(self.world.send(data.draw(st.sampled_from(list(self.world.answers)))))

    @rule(effects=st.integers(1, 40), fault=FAULTS)
    def let_a_fault_come(self, effects: int, fault: Fault) -> None:
        self.world.plan.arm(effects, fault)

    @rule()
    def die(self) -> None:
        self.stage.run(self.world.kill())

    @precondition(lambda self: self.world.process is not None)
    @rule()
    def let_recovery_work(self) -> None:
        self.stage.run(self.world.settle())

    @precondition(lambda self: self.world.process is not None)
    @rule(seconds=st.sampled_from([-1.5, -0.5, 0, 0.5, 1.5]))
    def slew_the_clock(self, seconds: float) -> None:
        """Within what a clock that is being corrected may do: sealing goes on, and no time is before the last one."""
        self.world.set_clock(timedelta(seconds=seconds))

    @rule()
    def look(self) -> None:
        self.world.check_ledger()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self.stage.run(self.world.conclude())
            finally:
                self.stage.run(self.world.kill())


async def all_at_once(world: World, documents: list[str]) -> None:
    await asyncio.gather(*map(world.send_once, documents))


def test_any_sequence_of_events(stage: Stage) -> None:
    Outlets.stage = stage
    run_state_machine_as_test(
        Outlets,
        settings=settings(
            max_examples=12,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
