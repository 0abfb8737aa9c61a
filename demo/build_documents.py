"""Compile the two demo documents to PDF: python demo/build_documents.py OUT_DIR.

The only fonts used are the OFL-licensed Noto Sans CJK of the font package below and the ones that
typst itself carries, never the machine's own: the same source gives the same bytes everywhere.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Final

SOURCES = ("manual.typ", "solar_terms.typ")
FONT_PACKAGE = "rinoh-typeface-notosanscjk"
# The archival standard embeds every font, maps every glyph to its character, and refuses a missing one.
PDF_STANDARD: Final = "a-2u"
DATE_IN_FILE = 0  # seconds since 1970: the standard wants a date, equal bytes want always the same


class DemoBuildError(Exception):
    """A document that could not be built; `hint` is the next step."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
        self.add_note(f"hint: {hint}")


def font_folder() -> Path:
    """The folder of the Noto Sans CJK files.

    The package is looked up, not imported: importing it needs rinohtype, which the fonts do not.
    """
    spec = importlib.util.find_spec(FONT_PACKAGE.replace("-", "_"))
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    for folder in folders:
        if any(folder.glob("*.otf")):
            return folder
    raise DemoBuildError(
        f"the font package {FONT_PACKAGE!r} is not installed",
        f"pip install --no-deps {FONT_PACKAGE}",
    )


def build_documents(out_dir: Path) -> list[Path]:
    """The PDF files, in the order of SOURCES.

    Raises:
        DemoBuildError: typst or the font is missing, or a source does not compile.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    built = []
    for name in SOURCES:
        source = Path(__file__).resolve().with_name(name)
        target = out_dir / f"{source.stem}.pdf"
        target.write_bytes(compile_pdf(source))
        built.append(target)
    return built


def compile_pdf(source: Path) -> bytes:
    """The PDF of one typst source.

    Raises:
        DemoBuildError: typst or the font is missing, or typst objects: to an error, to a character
            that the font does not have, or by a warning.
    """
    try:
        import typst  # noqa: PLC0415  (a missing compiler is an error with a hint, not a traceback)
    except ModuleNotFoundError as error:
        raise DemoBuildError("the package 'typst' is not installed", "pip install typst") from error
    try:
        pdf, warnings = typst.compile_with_warnings(
            source,
            font_paths=[font_folder()],
            ignore_system_fonts=True,
            pdf_standards=PDF_STANDARD,
            timestamp=DATE_IN_FILE,
        )
    except typst.TypstError as error:
        raise DemoBuildError(
            f"typst could not compile {source.name!r}: {error.diagnostic}", f"mend {source}"
        ) from error
    if warnings:
        raise DemoBuildError(f"typst warns about {source.name!r}: {warnings[0].diagnostic}", f"mend {source}")
    return pdf


def main(arguments: list[str]) -> int:
    """The exit code: 0, 1 when a document could not be built, 2 for a wrong call."""
    if len(arguments) != 1:
        print("usage: python demo/build_documents.py OUT_DIR", file=sys.stderr)
        return 2
    try:
        for path in build_documents(Path(arguments[0])):
            print(path)
    except DemoBuildError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
