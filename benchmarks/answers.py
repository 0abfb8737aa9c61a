"""What answers are worth: every benchmark of packing, checking, refusing and answering, one after the other.

    python benchmarks/answers.py --data FOLDER [--cache FOLDER] [--full]

By default on few questions, some minutes in all; --full takes as many as the claims are made on, some hours on two
cores. Each part runs by itself too.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# Options of the short run, and of the full one.
PARTS: dict[str, tuple[list[str], list[str]]] = {
    "checker.py": (["--questions", "120"], ["--questions", "0"]),
    "refusal.py": ([], []),
    "windows.py": (["--questions", "5"], ["--questions", "0"]),
    "windows_runtime.py": (["--questions", "10"], ["--questions", "50"]),
    "second_question.py": ([], []),
    "recipe.py": (["--questions", "20", "--documents", "100"], ["--questions", "200", "--documents", "0"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data" / "bench")
    parser.add_argument("--cache", type=Path, help="where vectors are kept between runs")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    if not options.data.exists():
        print("left out: question sets are not part of this repository; give their folder with --data")
        return
    failed = []
    for name, (short, full) in PARTS.items():
        print(f"\n== {name}", flush=True)
        arguments = ["--data", str(options.data), *(full if options.full else short)]
        if name == "recipe.py" and options.cache:
            arguments += ["--cache", str(options.cache)]
        if subprocess.run([sys.executable, str(HERE / name), *arguments], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"\nnot as claimed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
