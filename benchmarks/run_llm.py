"""Run the benchmarks of models and runtimes, one after the other. Some minutes each; best on an idle machine.

python benchmarks/run_llm.py
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = (
    "model_check.py",
    "adapter.py",
    "adapter_transformers.py",
    "prefix.py",
    "prompt_lookup.py",
    "llm_parity.py",
    "xllamacpp_server.py",
)


def main() -> None:
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, str(HERE / name)], check=True)


if __name__ == "__main__":
    main()
