"""A disk that forgets, at a power failure, what was not synchronised: contents by file, names by folder."""

import errno
import os
import re
import shutil
import threading
from pathlib import Path
from typing import Any

from .faults import Effects, Fault, current

_rename = Path.rename
_SHARD = re.compile(r"shard-[0-9]+(-[0-9]+)?")


class Disk:
    """One folder: as a running system sees it, and as it would be found after a power failure at this moment."""

    def __init__(self, folder: Path, copy_of: "Disk | None" = None) -> None:
        self.folder = folder
        self.is_full = False
        self._guard = threading.Lock()
        self._forget_handles()
        if copy_of is None:
            folder.mkdir(parents=True)
        else:
            copy_of.copy_of_what_lasts(folder)
            self._synchronise_all()

    def _forget_handles(self) -> None:
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, int] = {}
        self._pins: dict[int, int] = {}  # keep an inode from being given to another file

    def opened(self, handle: int) -> None:
        inode = os.fstat(handle).st_ino
        with self._guard:
            if inode not in self._pins:
                self._pins[inode] = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY)
                self._contents.setdefault(inode, b"")

    def synchronised(self, handle: int) -> None:
        status = os.fstat(handle)
        with self._guard:
            if status.st_ino == self.folder.stat().st_ino:
                self._names = {path.name: path.stat().st_ino for path in self.folder.iterdir()}
            else:
                self._contents[status.st_ino] = os.pread(self._pins[status.st_ino], status.st_size, 0)

    def copy_of_what_lasts(self, target: Path) -> None:
        """What a power failure would leave."""
        target.mkdir(parents=True)
        with self._guard:
            for name, inode in self._names.items():
                (target / name).write_bytes(self._contents.get(inode, b""))

    def lose_power(self) -> None:
        """No process may have a file open."""
        kept = self.folder.with_suffix(".kept")
        self.copy_of_what_lasts(kept)
        self.close()
        shutil.rmtree(self.folder)
        kept.rename(self.folder)
        self._synchronise_all()

    def _synchronise_all(self) -> None:
        for path in self.folder.iterdir():
            handle = os.open(path, os.O_RDWR)
            self.opened(handle)
            self.synchronised(handle)
            os.close(handle)
        handle = os.open(self.folder, os.O_RDONLY)
        self.synchronised(handle)
        os.close(handle)

    def close(self) -> None:
        for handle in self._pins.values():
            os.close(handle)
        self._forget_handles()


class SimulatedOs:
    """Stands in for the module ``os`` of the head store; whatever else it asks for is the real one's."""

    def __init__(self, disks: dict[Path, Disk]) -> None:
        self._disks = disks
        self._open: dict[int, tuple[Disk, str]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        handle = os.open(path, flags, mode)
        disk = self._disks.get(Path(path).parent) or self._disks.get(Path(path))
        if disk is not None and current.get() is not None and not Path(path).name.endswith(".lock"):
            disk.opened(handle)
            self._open[handle] = disk, Path(path).name
        return handle

    def close(self, handle: int) -> None:
        self._open.pop(handle, None)
        os.close(handle)

    def pwrite(self, handle: int, data: Any, offset: int) -> int:
        effects = current.get()
        if effects is None:
            return os.pwrite(handle, data, offset)
        name, fault = self._begin("write", effects, handle)
        if self._open[handle][0].is_full:
            raise OSError(errno.ENOSPC, "simulated: no space left on the device")
        if fault is Fault.CRASH_HALFWAY:
            os.pwrite(handle, data[: len(data) // 2], offset)
        else:
            written = os.pwrite(handle, data, offset)
        _end(effects, name, fault)
        return written

    def fsync(self, handle: int) -> None:
        self._synchronise("fsync", os.fsync, handle)

    def fdatasync(self, handle: int) -> None:
        self._synchronise("fdatasync", os.fdatasync, handle)

    def _synchronise(self, verb: str, function: Any, handle: int) -> None:
        effects = current.get()
        if effects is None:
            function(handle)
            return
        name, fault = self._begin(verb, effects, handle)
        # Nothing is lost in this simulation that the real disk would have to be asked for.
        self._open[handle][0].synchronised(handle)
        _end(effects, name, fault)

    def _begin(self, verb: str, effects: Effects, handle: int) -> tuple[str, Fault | None]:
        return _begin(effects, f"{verb} {self._open[handle][1]}")


def simulated_rename(path: Path, target: Path) -> Path:
    """Stands in for Path.rename."""
    effects = current.get()
    if effects is None:
        return _rename(path, target)
    name, fault = _begin(effects, f"rename {Path(target).name}")
    result = _rename(path, target)
    _end(effects, name, fault)
    return result


def _begin(effects: Effects, name: str) -> tuple[str, Fault | None]:
    name = _SHARD.sub("shard", name)
    fault = effects.begin(name)
    if fault in (Fault.ERROR_BEFORE, Fault.LATE):
        raise OSError(errno.ENOSPC, "simulated: no space left on the device")
    return name, fault


def _end(effects: Effects, name: str, fault: Fault | None) -> None:
    effects.end(name, fault)
    if fault is Fault.ERROR_AFTER:
        raise OSError(errno.EIO, "simulated: input/output error")
