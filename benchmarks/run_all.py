"""Run every benchmark that needs no data from elsewhere, one after the other.

python benchmarks/run_all.py
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = ("startup.py", "bm25.py", "ingest.py", "threads.py")


def main() -> None:
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, str(HERE / name)], check=True)
    data = HERE.parents[1] / "shared" / "data" / "bench"
    print("\n== retrieval.py", flush=True)
    if data.exists():
        subprocess.run([sys.executable, str(HERE / "retrieval.py"), "--data", str(data)], check=True)
    else:
        print("left out: question sets are not part of this repository; give their folder with --data")


if __name__ == "__main__":
    main()
