"""What `models check` takes for a 4 GB file: seconds and resident memory, in a process of its own.

    python benchmarks/model_check.py [--gigabytes 4] [--rounds 5]

The file has the metadata, the 55,296-piece vocabulary and the 291 tensors of the 7B model; its data is a hole. The
claim: under 1 s and under 200 MB, starting Python and importing the package included. The format package's own
reader stands beside it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

LIMIT_S = 1.0
LIMIT_MB = 200.0

OURS = """
from chinese_llm_rag.doctor import inspect_model
report = inspect_model(sys.argv[1], memory_bytes=64 << 30)
found = [report.family_model, report.rope, report.weight_bytes]
"""
THEIRS = """
import gguf
reader = gguf.GGUFReader(sys.argv[1])
found = [None, None, sum(int(tensor.n_bytes) for tensor in reader.tensors)]
"""
MEASURED = """
import json, resource, sys, time
begin = time.perf_counter()
{body}
taken = time.perf_counter() - begin
print(json.dumps([taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, found]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_sparse(Path(folder) / "chinese-alpaca-2-7b-16k-q4_k.gguf", options.gigabytes)
        print(f"file: {path.stat().st_size / 1e9:.2f} GB")
        seconds, megabytes = measure("models check", OURS, path, options.rounds)
        measure("gguf.GGUFReader", THEIRS, path, 1)
    for what, value, limit, unit in (("time", seconds, LIMIT_S, "s"), ("memory", megabytes, LIMIT_MB, "MB")):
        verdict = "reached" if value < limit else "MISSED"
        print(f"{what}: {value:.3g} {unit}, {value / limit:.2f} of the limit of {limit:g} {unit}: {verdict}")


def measure(name: str, body: str, path: Path, rounds: int) -> tuple[float, float]:
    """Median wall seconds, import included, and the largest resident memory in MB."""
    results = []
    for _ in range(rounds):
        script = MEASURED.format(body=body)
        done = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
        results.append(json.loads(done.stdout))
    seconds = statistics.median(taken for taken, _, _ in results)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there
    megabytes = max(resident for _, resident, _ in results) * unit / 1e6
    print(f"{name:16} {seconds:7.3f} s {megabytes:8.1f} MB   {results[0][2]}")
    return seconds, megabytes


def write_sparse(path: Path, gigabytes: float) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("chinese-alpaca-2-7b-16k")
    writer.add_context_length(16_384)
    writer.add_block_count(32)
    writer.add_embedding_length(4096)
    writer.add_feed_forward_length(11_008)
    writer.add_head_count(32)
    writer.add_head_count_kv(32)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(4.0)
    writer.add_token_list([f"词{n}" for n in range(55_296)])
    writer.add_token_scores([0.0] * 55_296)
    writer.add_token_types([1] * 55_296)
    n_tensors = 291
    row = 4096 // 256 * 144  # bytes of 4096 items in Q4_K
    rows = int(gigabytes * 1e9 / n_tensors / row)
    for n in range(n_tensors):
        writer.add_tensor_info(
            f"blk.{n}.weight", [rows, row], np.dtype(np.uint8), rows * row, gguf.GGMLQuantizationType.Q4_K
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + n_tensors * (rows * row + 32))
    return path


if __name__ == "__main__":
    main()
