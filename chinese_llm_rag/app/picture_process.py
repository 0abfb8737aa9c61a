"""The inside of the process that draws pages: PDFium, one page after another, within bounds.

A page that crashes PDFium ends this process, and nothing else. A request is one line of JSON; an answer is a line
of JSON followed by as many bytes as it says.
"""

import json
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

from chinese_llm_rag.document_loaders.worker_process import limit_memory

MEMORY_BYTES = 1 << 30
_MOST_PIXELS = 16_000_000


def main() -> None:
    """Answer until standard input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    limit_memory(MEMORY_BYTES)
    for line in requests:
        request = json.loads(line)
        try:
            head, data = _answer(request)
        except (OSError, ValueError, RuntimeError, MemoryError, OverflowError) as error:
            head, data = {"error": f"{type(error).__name__}: {error}"}, b""
        answers.write(json.dumps({**head, "n_bytes": len(data)}).encode() + b"\n" + data)
        answers.flush()


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    import pypdfium2  # noqa: PLC0415  (loads a shared library)

    document = pypdfium2.PdfDocument(Path(request["path"]))
    try:
        n_pages = len(document)
        if not 1 <= request["page"] <= n_pages:
            return {"error": "page", "n_pages": n_pages}, b""
        page = document[request["page"] - 1]
        width, height = page.get_size()
        head = {"n_pages": n_pages, "width": width, "height": height}
        if request["what"] == "characters":
            return head, _characters(page)
        return head, _picture(page, request["width"])
    finally:
        document.close()


def _characters(page: Any) -> bytes:  # noqa: ANN401  (pypdfium2 has no types)
    """Codes, then boxes."""
    from chinese_llm_rag.document_loaders.pdf_chars import read_chars  # noqa: PLC0415

    read = read_chars(page, page.get_textpage())
    return read.codes.tobytes() + read.boxes.tobytes()


def _picture(page: Any, pixels: int) -> bytes:  # noqa: ANN401
    width, height = page.get_size()
    scale = pixels / width
    scale *= min(1.0, (_MOST_PIXELS / (scale * scale * width * height)) ** 0.5)
    bitmap = page.render(scale=scale, rev_byteorder=True, force_bitmap_format=2)  # 2: FPDFBitmap_BGR
    return png(bitmap.to_numpy())


def png(pixels: Any) -> bytes:  # noqa: ANN401  (numpy, uint8 [height, width, 3])
    """A picture as PNG."""
    import numpy as np  # noqa: PLC0415

    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter, none
    rows[:, 1:] = pixels.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 3)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


if __name__ == "__main__":
    main()
