"""What a file's bytes say it is, where they leave no doubt. Pure.

The policy: content decides where its signature is certain. A file whose name says otherwise is read as what it
is, and a problem says so; one that is certainly no document (a program, an archive, a picture) is refused with
what it is. Without a signature the name decides.
"""

import re
import zipfile
from dataclasses import dataclass
from io import BytesIO

_MARKUP_WITHIN = 1024
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.{0,400}?-->\s*)?(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE | re.DOTALL
)
_OFFICE_XML = re.compile(rb"\s*<\?xml[^>]*>\s*<\?mso-application\b")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_SIGNATURES = (
    (b"\x7fELF", "a Linux program", "Linux 程序"),
    (b"\xcf\xfa\xed\xfe", "a macOS program", "macOS 程序"),
    (b"\xca\xfe\xba\xbe", "a Java class or macOS program", "Java 类或 macOS 程序"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", "PNG 图片"),
    (b"\xff\xd8\xff", "a JPEG picture", "JPEG 图片"),
    (b"GIF87a", "a GIF picture", "GIF 图片"),
    (b"GIF89a", "a GIF picture", "GIF 图片"),
    (b"II*\0", "a TIFF picture", "TIFF 图片"),
    (b"MM\0*", "a TIFF picture", "TIFF 图片"),
    (b"AT&TFORM", "DjVu", "DjVu 文件"),
    (b"\x1f\x8b\x08", "a gzip archive", "gzip 压缩包"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z 压缩包"),
    (b"Rar!\x1a\x07", "a RAR archive", "RAR 压缩包"),
    (b"\xfd7zXZ\0", "an xz archive", "xz 压缩包"),
    (b"BZh91AY&SY", "a bzip2 archive", "bzip2 压缩包"),
    (b"SQLite format 3\0", "an SQLite database", "SQLite 数据库"),
    (b"{\\rtf", "RTF", "RTF 文件"),
    (b"ITSF\x03\0\0\0", "a CHM help file", "CHM 帮助文件"),
    (b"\0asm", "a WebAssembly program", "WebAssembly 程序"),
    (b"ID3\x03", "an MP3 recording", "MP3 录音"),
    (b"ID3\x04", "an MP3 recording", "MP3 录音"),
    (b"MIME-Version:", "a web archive (MHTML)", "网页归档（MHTML）"),
)
_STREAMS = (  # names in the directory of an OLE file, which is UTF-16
    ("EncryptedPackage", "encrypted", "an encrypted Office file", "加密的 Office 文件"),
    ("WordDocument", ".doc", "a Word 97-2003 document", "Word 97-2003 文档"),
    ("PowerPoint Document", None, "a PowerPoint 97-2003 presentation (.ppt)", "PowerPoint 97-2003 演示文稿（.ppt）"),
    ("Workbook", None, "an Excel 97-2003 workbook (.xls)", "Excel 97-2003 工作簿（.xls）"),
    ("Book", None, "an Excel 5.0/95 workbook (.xls)", "Excel 5.0/95 工作簿（.xls）"),
    ("__properties_version1.0", None, "an Outlook message (.msg)", "Outlook 邮件（.msg）"),
)
_ZIP_PARTS = (
    ("word/", ".docx", "DOCX", "DOCX"),
    ("ppt/", ".pptx", "PPTX", "PPTX"),
    ("xl/workbook.bin", None, "a binary Excel workbook (.xlsb)", "二进制 Excel 工作簿（.xlsb）"),
    ("xl/", ".xlsx", "XLSX", "XLSX"),
    ("META-INF/container.xml", ".epub", "EPUB", "EPUB"),
)
ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is: the extension of its format, None where none of ours reads it; in both languages."""

    extension: str | None
    english: str
    chinese: str


def kind_of(data: bytes) -> FileKind | None:
    """What the bytes certainly are; None where they tell nothing, as of any text."""
    if data.startswith(_ZIPS):
        return _zip_kind(data)
    if data.startswith(_OLE):
        return _ole_kind(data)
    if b"%PDF-" in data[:_MARKUP_WITHIN]:
        return FileKind(".pdf", "PDF", "PDF")
    return _other_kind(data) or _markup_kind(data[:_MARKUP_WITHIN])


def _other_kind(data: bytes) -> FileKind | None:
    """Kinds that are never read."""
    named = next(((english, chinese) for start, english, chinese in _SIGNATURES if data.startswith(start)), None)
    if data.startswith(b"MZ") and b"\0" in data[:_MARKUP_WITHIN]:
        named = ("a Windows program", "Windows 程序")
    elif data[4:8] == b"ftyp":
        named = ("a video or a HEIC picture", "视频或 HEIC 图片")
    elif data.startswith(b"RIFF") and data[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        named = ("a picture, recording or video (RIFF)", "图片、录音或视频（RIFF）")
    return FileKind(None, *named) if named else None


def _markup_kind(head: bytes) -> FileKind | None:
    if _OFFICE_XML.match(head):
        return FileKind(".xml", "Office 2003 XML", "Office 2003 XML")
    return FileKind(".html", "HTML", "HTML") if _HTML.match(head) else None


def _zip_kind(data: bytes) -> FileKind:
    try:
        with zipfile.ZipFile(BytesIO(data)) as packed:
            names = packed.namelist()
            mimetype = (
                packed.read("mimetype")[:100]
                if "mimetype" in names and packed.getinfo("mimetype").file_size < 100
                else b""
            )
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, NotImplementedError, OverflowError):
        return FileKind(None, "a damaged ZIP archive", "损坏的 ZIP 压缩包")
    if mimetype.startswith(b"application/vnd.oasis.opendocument"):
        return FileKind(None, "an OpenDocument file", "OpenDocument 文件")
    if mimetype.startswith(b"application/epub+zip"):
        return FileKind(".epub", "EPUB", "EPUB")
    for start, extension, english, chinese in _ZIP_PARTS:
        if any(name.startswith(start) for name in names):
            return FileKind(extension, english, chinese)
    return FileKind(None, "a ZIP archive", "ZIP 压缩包")


def _ole_kind(data: bytes) -> FileKind:
    for name, extension, english, chinese in _STREAMS:
        if name.encode("utf-16-le") + b"\0\0" in data:
            return FileKind(extension, english, chinese)
    return FileKind(None, "an OLE file of no known kind", "未知类型的 OLE 文件")
