"""Write docs/tree.md: every module of the package with the first line of its docstring.

python docs/build_tree.py docs/tree.md
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "chinese_llm_rag"
HEAD = """# Every module

Made by `make docs` from the first line of each module. The order of the stages is in the README.
"""


def tree() -> str:
    """The whole page."""
    return f"{HEAD}\n```text\nchinese_llm_rag/\n" + "\n".join(lines(PACKAGE, 1)) + "\n```\n"


def lines(folder: Path, depth: int) -> Iterator[str]:
    """One line a module or folder, folders after the modules beside them."""
    indent = "  " * depth
    modules = [p for p in folder.glob("*.py") if p.name not in ("__init__.py", "__main__.py")]
    for module in sorted(modules):
        yield f"{indent}{module.name:{34 - 2 * depth}} {first_line(module)}"
    for package in sorted(p.parent for p in folder.glob("*/__init__.py")):
        yield f"{indent}{package.name + '/':{34 - 2 * depth}} {first_line(package / '__init__.py')}"
        yield from lines(package, depth + 1)


def first_line(module: Path) -> str:
    """What the module says it knows."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    return (docstring or "").partition("\n")[0]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(tree(), encoding="utf-8")
