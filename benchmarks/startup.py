"""How long `import chinese_llm_rag` and `clrag --help` take, beside an interpreter that does nothing.

python benchmarks/startup.py

Targets on an idle machine: import under 0.15 s, help under 0.5 s. The ratio to bare Python is what can be
compared between machines. Fastest of several interleaved runs.
"""

import subprocess
import sys
import time

_RUNS = 9
COMMANDS = {
    "python": ["-c", "pass"],
    "import": ["-c", "import chinese_llm_rag"],
    "--help": ["-m", "chinese_llm_rag", "--help"],
}
TARGETS_S = {"import": 0.15, "--help": 0.5}


def seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(_RUNS):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    bare = min(times["python"])
    for name, measured in times.items():
        target = f"  target {TARGETS_S[name]} s" if name in TARGETS_S else ""
        print(f"{name:8} {min(measured):.3f} s  {min(measured) / bare:5.1f} x bare python{target}")


if __name__ == "__main__":
    main()
