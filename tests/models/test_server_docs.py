"""The curl lines of docs/server.md, run as they stand, one after another."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

pytestmark = [
    pytest.mark.models,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]
PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """The lines of the page that are run against a server, each whole."""
    examples, _, rest = PAGE.partition("## Who may come in")
    assert rest
    blocks = re.findall(r"```bash\n(.*?)```", examples, re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(("curl", "printf"))]


def test_every_curl_line_of_the_page_does_what_it_says(serving, tmp_path):
    with serving(tmp_path / "home") as server:
        server.wait_for_model()
        n_streams = 0
        for line in commands():
            done = subprocess.run(
                ["bash", "-c", line],
                check=False,
                cwd=tmp_path,
                env={"URL": server.url, "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, (line, done.stderr)
            assert '"error":{' not in done.stdout.replace(" ", ""), (line, done.stdout)
            if '"stream": true' in line:
                assert done.stdout.rstrip().endswith("[DONE]"), line
                n_streams += 1
            elif line.startswith("curl"):
                json.loads(done.stdout)
            if "uploads" in line:
                server.wait_for_job(json.loads(done.stdout)["job"]["id"])
            if "/ask" in line and '"stream"' not in line:
                assert "绿茶" in json.loads(done.stdout)["text"], done.stdout
        assert n_streams == 2


def test_every_route_of_the_openapi_document_stands_on_the_page(serving, tmp_path):
    with serving(tmp_path) as server:
        paths = httpx.get(f"{server.url}/openapi.json", timeout=120).json()["paths"]
    for path in paths:
        shown = (
            path.replace("{document}", "{id}").replace("{job}", "{id}").replace("{page}", "{n}").replace("/{model}", "")
        )
        tail = shown.removeprefix("/v1") if "completions" in shown or "embeddings" in shown else shown
        assert tail in PAGE, path
