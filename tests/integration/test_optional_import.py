"""Optional packages: missing, installed, and installed but broken."""

import pytest

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import MissingDependencyError


def test_a_missing_package_names_the_extra_that_brings_it():
    with pytest.raises(MissingDependencyError) as caught:
        optional_import("surely_not_installed.inner", extra="hf")
    assert (caught.value.package, caught.value.extra) == ("surely_not_installed", "hf")
    assert "pip install 'chinese-llm-rag[hf]'" in (caught.value.hint or "")


def test_an_installed_package_is_imported():
    assert optional_import("json.decoder", extra="hf").__name__ == "json.decoder"


@pytest.mark.parametrize("source", ["import surely_not_installed", "import broken.absent", "from broken import absent"])
def test_an_import_error_inside_an_installed_package_passes_through(tmp_path, monkeypatch, source):
    package = tmp_path / "broken"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as caught:
        optional_import("broken.inner", extra="hf")
    assert not isinstance(caught.value, MissingDependencyError)
