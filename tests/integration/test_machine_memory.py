"""Available memory as Linux and its containers state it, from made-up proc and sys folders."""

import sys
from pathlib import Path

import pytest

from chinese_llm_rag.llms.machine_memory import MachineMemory, machine_memory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="reads proc and sys")
GIB = 1 << 30
MEMINFO = f"MemTotal: {16 * GIB // 1024} kB\nMemFree: 100 kB\nMemAvailable: {10 * GIB // 1024} kB\n"


def write(root: Path, files: dict[str, str | int]) -> Path:
    for name, content in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def test_without_a_container_it_is_what_the_kernel_calls_available(tmp_path: Path) -> None:
    assert machine_memory(write(tmp_path, {})) == MachineMemory(16 * GIB, 10 * GIB)


def test_a_container_limit_counts_and_file_pages_in_it_do_not(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/box",
            "sys/fs/cgroup/box/memory.max": 4 * GIB,
            "sys/fs/cgroup/box/memory.current": 3 * GIB,
            "sys/fs/cgroup/box/memory.stat": f"anon 5\ninactive_file {GIB}\nactive_file {GIB}\nfile {2 * GIB}",
        },
    )
    # 4 - (3 - 1 - 1)
    assert machine_memory(root) == MachineMemory(16 * GIB, 3 * GIB, limit=4 * GIB)


def test_the_tightest_group_above_the_process_counts(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/outer/inner",
            "sys/fs/cgroup/outer/inner/memory.max": "max",
            "sys/fs/cgroup/outer/inner/memory.current": GIB,
            "sys/fs/cgroup/outer/memory.max": 2 * GIB,
            "sys/fs/cgroup/outer/memory.current": GIB,
        },
    )
    assert machine_memory(root) == MachineMemory(16 * GIB, GIB, limit=2 * GIB)


def test_the_older_kind_of_groups_is_read_too(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu:/\n4:memory:/box\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": (1 << 63) - 4096,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": 5,
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes": 2 * GIB,
            "sys/fs/cgroup/memory/box/memory.usage_in_bytes": 2 * GIB,
            "sys/fs/cgroup/memory/box/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\ntotal_active_file 0",
        },
    )
    assert machine_memory(root) == MachineMemory(16 * GIB, GIB, limit=2 * GIB)


def test_a_limit_above_the_machine_is_none(tmp_path: Path) -> None:
    root = write(tmp_path, {"sys/fs/cgroup/memory.max": 64 * GIB, "sys/fs/cgroup/memory.current": 50 * GIB})
    assert machine_memory(root) == MachineMemory(16 * GIB, 10 * GIB)


def test_this_machine_has_memory() -> None:
    memory = machine_memory()
    assert memory.total is not None
    assert memory.available is not None
    assert 0 < memory.available <= memory.total
