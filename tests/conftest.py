"""What every test gets: a home of its own, no network, no locale of the machine."""

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason to fail; what must be quick is measured in benchmarks/.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of this test; nothing may be written anywhere else."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CHINESE_LLM_RAG_HOME", str(folder))
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "en")
    return folder
