"""How much memory this process can still get, asked of the operating system."""

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED = 1 << 60  # cgroup v1 writes a number near 2**63 where there is no limit


@dataclass(frozen=True, slots=True)
class MachineMemory:
    """Bytes: of the machine, and that can still be had without pushing others out; None is unknown.

    Attributes:
        limit: what a container may have in all, where one sets a limit below the machine's memory.
    """

    total: int | None
    available: int | None
    limit: int | None = None


def machine_memory(root: Path = Path("/")) -> MachineMemory:
    """This machine's memory, within the limit of a container.

    Linux: MemAvailable and the memory controller of cgroups (proc(5), the kernel's cgroup documents). Windows:
    GlobalMemoryStatusEx. Elsewhere os.sysconf, which on macOS knows the total only; that is then taken for available.

    Args:
        root: where proc and sys are mounted; another folder in tests.
    """
    if sys.platform == "win32":
        return _windows()
    meminfo = root / "proc" / "meminfo"
    if not meminfo.exists():
        total = _pages("SC_PHYS_PAGES")
        return MachineMemory(total, _pages("SC_AVPHYS_PAGES") or total)
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    total = _kilobytes(fields.get("MemTotal"))
    available = _kilobytes(fields.get("MemAvailable"))
    limit, free = _container(root)
    if limit is not None and total is not None and limit >= total:
        return MachineMemory(total, available)
    if free is not None:
        available = free if available is None else min(available, free)
    return MachineMemory(total, available, limit)


def _kilobytes(text: str | None) -> int | None:
    words = (text or "").split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _pages(name: str) -> int | None:
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def _container(root: Path) -> tuple[int | None, int | None]:
    """The smallest limit over this process and what is free below it. File pages can be taken back at once."""
    best: tuple[int | None, int | None] = (None, None)
    for folder, limit_name, used_name in _groups(root):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is None or used is None or limit >= _UNLIMITED:
            continue
        free = max(0, limit - max(0, used - _file_pages(folder / "memory.stat")))
        if best[1] is None or free < best[1]:
            best = (limit, free)
    return best


def _groups(root: Path) -> list[tuple[Path, str, str]]:
    """This process's memory groups, each with the groups above it, whose limits hold too."""
    mount = root / "sys" / "fs" / "cgroup"
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    found: list[tuple[Path, str, str]] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            base, names = mount, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base, names = mount / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        found += [(base.joinpath(*parts[:n]), *names) for n in range(len(parts), -1, -1)]
    return found


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max" is no limit


def _file_pages(path: Path) -> int:
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    counted = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}
    names = ("total_inactive_file", "total_active_file")
    if names[0] not in counted:
        names = ("inactive_file", "active_file")
    return sum(counted.get(name, 0) for name in names)


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *(
            (name, ctypes.c_ulonglong)
            for name in ("total", "available", "pages", "free_pages", "space", "free", "more")
        ),
    )


def _windows() -> MachineMemory:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  # exists on Windows only
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return MachineMemory(None, None)
    return MachineMemory(int(status.total), int(status.available))
