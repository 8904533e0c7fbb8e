"""The MCF twin as a process behind a pseudo-terminal, and what its own memory says."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ...support.processes import Process, python_environment, wait_until
from ...support.sandbox import _command

MID, NIF, ISF = "CD01000001-1", "A1234567B", "ABC-DEF-01"


class McfTwin:
    def __init__(self, folder: Path, mid: str = MID) -> None:
        folder.mkdir(exist_ok=True)
        self.mid = mid
        self.port = folder / "tty"
        self._database = folder / "mcf.sqlite"
        self._log = folder / "mcf.log"
        self.process = self._start()

    def kill(self) -> None:
        """With its port: the kernel gives the number of a pseudo-terminal to the next one that anybody opens, and who
        still asks for this twin would take that for it, or keep its owner from it."""
        self.process.kill()
        self.port.unlink(missing_ok=True)

    def restart(self) -> None:
        self.kill()
        self.process = self._start()

    def fault(self, command: int, kind: str, times: int = 1) -> None:
        self._change("INSERT INTO fault (command, kind, times) VALUES (?, ?, ?)", command, kind, times)

    def fault_once_certified(self, number: str, command: int, kind: str, times: int) -> None:
        """A fault that begins in the moment in which the device certifies this number."""
        self._change(
            f"CREATE TRIGGER once_certified AFTER INSERT ON invoice WHEN NEW.number = '{number}' "
            f"BEGIN INSERT INTO fault (command, kind, times) VALUES ({command}, '{kind}', {times}); END"
        )

    def calm(self) -> None:
        self._change("DELETE FROM fault")
        self._change("DELETE FROM stand")

    def stand(self, name: str, value: str) -> None:
        self._change("INSERT OR REPLACE INTO stand VALUES (?, ?)", name, value)

    def faults_left(self) -> int:
        return self._rows("SELECT coalesce(sum(times), 0) FROM fault")[0][0]

    def certified(self, number: str) -> list[str]:
        """The codes under a number: what the device really did."""
        return [code for (code,) in self._rows("SELECT code FROM invoice WHERE number = ?", number)]

    def _start(self) -> Process:
        python, option, _package = _command()
        arguments = ["--link", str(self.port), "--database", str(self._database), "--mid", self.mid]
        arguments += ["--nif", NIF]
        environment = python_environment({"PYTHONPATH": os.environ.get("BONOPAY_TEST_SANDBOX_PYTHONPATH", "")})
        command = [python, option, "bonopay_dgi_sandbox.mcf", *arguments, "--isf", ISF]
        process = Process(command, environment, self._log)
        wait_until(self.port.is_symlink, "the MCF twin has its port")
        return process

    def _change(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self._database, timeout=30)) as connection, connection:
            connection.execute(statement, values)

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(self._database, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()
