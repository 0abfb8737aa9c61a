"""The builder of PDFs beside this file under its own name; test folders are no packages."""

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("pdf_files", Path(__file__).with_name("pdf_files.py"))
assert _spec is not None
assert _spec.loader is not None
pdf_files = importlib.util.module_from_spec(_spec)
sys.modules["pdf_files"] = pdf_files
_spec.loader.exec_module(pdf_files)
