"""How much a file may ask for, and the refusal of one that asks for more.

Every bound holds while a file is read, not afterwards: what is compressed is unpacked piece by piece, what is
nested is counted before anything walks it. Nothing here is written to the disk, fetched or run.
"""

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from lxml import etree

from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say

MIB = 1 << 20
MAX_TEXT_BYTES = 100 * MIB  # of a text
MAX_MARKUP_BYTES = 50 * MIB  # of a web page, an XML document or a table as text
MAX_PARTS = 20_000  # files inside a packed file
MAX_PART_BYTES = 64 * MIB  # of one part, unpacked; a sheet may have more, since it is read row by row
MAX_SHEET_BYTES = 512 * MIB
MAX_UNPACKED_BYTES = 1024 * MIB  # of all parts read
MAX_RATIO = 200  # unpacked to packed, of parts over MIN_RATIO_BYTES
MIN_RATIO_BYTES = 8 * MIB
MAX_DEPTH = 200  # of elements in one another; what people write stays below 60
MAX_CELLS = 1_000_000  # of a file's tables, filled ones
MAX_CHARS = 50_000_000  # of a file's text
_PIECE = 1 * MIB


def over_bound(path: Path, english: str, chinese: str) -> DocumentError:
    """The refusal of a file that exceeds a bound; the texts say which."""
    return DocumentError(
        say(f"{path.name!r} is refused: {english}", f"拒绝读取 {path.name!r}：{chinese}"),
        path=path,
        hint=say(
            "split it into smaller files, or save it again in a program that you trust",
            "请拆成较小的文件，或用可信的软件另存后再导入",
        ),
    )


def damaged(path: Path, kind: str, reason: str) -> DocumentError:
    """The refusal of a file that is not what it should be."""
    return DocumentError(
        say(f"{path.name!r} is not a readable {kind} ({reason})", f"{path.name!r} 不是可读取的 {kind}（{reason}）"),
        path=path,
        hint=say(
            "the file is damaged or incomplete: get it again, or open it and save it anew",
            "文件已损坏或不完整：请重新获取，或打开后另存",
        ),
    )


def encrypted(path: Path) -> DocumentError:
    """The refusal of a file that only its owner can open."""
    return DocumentError(
        say(f"{path.name!r} is encrypted and needs a password", f"{path.name!r} 已加密，需要密码"),
        path=path,
        hint=say("save a copy without the password and ingest that", "请另存一份不带密码的副本再导入"),
    )


def check_size(data: bytes, path: Path, limit: int = MAX_TEXT_BYTES) -> None:
    """Refuse a file of more bytes than its format may have.

    Raises:
        DocumentError: it has.
    """
    if len(data) > limit:
        size, most = len(data) // MIB, limit // MIB
        raise over_bound(path, f"it has {size} MiB, at most {most} are read", f"文件有 {size} MiB，最多读取 {most} MiB")


class PackedFile:
    """The parts of a ZIP file, unpacked within the bounds.

    Raises:
        DocumentError: no ZIP file, or one with too many parts.
    """

    def __init__(self, data: bytes, path: Path, kind: str) -> None:
        self._path = path
        self._kind = kind
        self._unpacked = 0
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as error:
            raise damaged(path, kind, str(error)) from error
        self._infos = {info.filename: info for info in self._zip.infolist()}
        if len(self._infos) > MAX_PARTS:
            raise over_bound(
                path,
                f"it packs {len(self._infos)} files, at most {MAX_PARTS} are read",
                f"其中打包了 {len(self._infos)} 个文件，最多读取 {MAX_PARTS} 个",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts, in the order of the file."""
        return tuple(self._infos)

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def read(self, name: str, limit: int = MAX_PART_BYTES) -> bytes:
        """A part, unpacked.

        Raises:
            DocumentError: missing, damaged, encrypted, or over a bound.
        """
        return b"".join(self.pieces(name, limit))

    def pieces(self, name: str, limit: int = MAX_PART_BYTES) -> Iterator[bytes]:
        """A part, unpacked piece by piece; raises as `read` does."""
        info = self._infos.get(name)
        if info is None:
            raise damaged(self._path, self._kind, say(f"it lacks {name}", f"缺少 {name}"))
        if info.flag_bits & 1:
            raise encrypted(self._path)
        size = 0
        try:
            with self._zip.open(info) as part:
                while piece := part.read(_PIECE):
                    size += len(piece)
                    self._unpacked += len(piece)
                    self._check(info, size, limit)
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise damaged(self._path, self._kind, f"{name}: {error}") from error

    def _check(self, info: zipfile.ZipInfo, size: int, limit: int) -> None:
        if size > limit or self._unpacked > MAX_UNPACKED_BYTES:
            most = min(limit, MAX_UNPACKED_BYTES) // MIB
            raise over_bound(
                self._path, f"{info.filename} unpacks to more than {most} MiB", f"{info.filename} 解压后超过 {most} MiB"
            )
        if size > MIN_RATIO_BYTES and size > MAX_RATIO * max(info.compress_size, 1):
            raise over_bound(
                self._path,
                f"{info.filename} unpacks to more than {MAX_RATIO} times its size",
                f"{info.filename} 解压后超过原大小的 {MAX_RATIO} 倍",
            )

    def xml(self, name: str) -> etree._Element:
        """A part as an XML tree; see parse_xml."""
        return parse_xml(self.read(name), self._path, name)

    def iter_xml(self, name: str, *tags: str) -> Iterator[etree._Element]:
        """The elements of these names in a part that is too large for a tree, each forgotten after its turn."""
        parser = etree.XMLPullParser(
            ("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        try:
            for piece in self.pieces(name, MAX_SHEET_BYTES):
                parser.feed(piece)
                for _, element in parser.read_events():
                    yield element
                    element.clear()
                    parent = element.getparent()
                    while parent is not None and parent[0] is not element:
                        del parent[0]
            parser.close()
        except etree.XMLSyntaxError as error:
            raise damaged(self._path, self._kind, f"{name}: {error}") from error


def parse_xml(data: bytes, path: Path, name: str) -> etree._Element:
    """The root of an XML document.

    Raises:
        DocumentError: not well-formed, nested too deep, or it declares entities, which can be bombs and can
            name other files; nothing outside the document is ever read.
    """
    try:
        return _parse(data, path, name, None)
    except etree.XMLSyntaxError as error:
        raise damaged(path, "XML", f"{name}: {error}") from error


def try_xml(text: str, path: Path) -> etree._Element | None:
    """The root of a text without an XML declaration; None when it is not well-formed.

    Raises:
        DocumentError: nested too deep, or it declares entities.
    """
    try:
        return _parse(text.encode("utf-8", "replace"), path, path.name, "utf-8")
    except etree.XMLSyntaxError:
        return None


def _parse(data: bytes, path: Path, name: str, encoding: str | None) -> etree._Element:
    parser = etree.XMLPullParser(
        ("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,  # our own bounds are lower, and say what they found
        remove_comments=True,
        remove_pis=True,
        encoding=encoding,
    )
    try:
        return _fed(parser, data, path, name)
    except etree.XMLSyntaxError as error:
        message = error.msg or ""
        if "depth" in message:
            raise too_deep(path, name) from error
        if "amplification" in message or "entity reference loop" in message:
            raise _own_entities(path, name) from error
        raise


def _fed(parser: etree.XMLPullParser, data: bytes, path: Path, name: str) -> etree._Element:
    depth = 0
    root: etree._Element | None = None
    for i in range(0, len(data), _PIECE):
        parser.feed(data[i : i + _PIECE])
        for event, element in parser.read_events():
            if root is None:
                root = element
                _check_entities(root, path, name)
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise too_deep(path, name)
    return parser.close()


def too_deep(path: Path, name: str) -> DocumentError:
    """The refusal of elements nested beyond MAX_DEPTH."""
    return over_bound(
        path, f"{name} nests elements more than {MAX_DEPTH} deep", f"{name} 中的元素嵌套超过 {MAX_DEPTH} 层"
    )


def _check_entities(root: etree._Element, path: Path, name: str) -> None:
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise _own_entities(path, name)


def _own_entities(path: Path, name: str) -> DocumentError:
    return over_bound(path, f"{name} declares entities of its own", f"{name} 声明了自定义实体")
