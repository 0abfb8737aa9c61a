"""PageTexts as JSON and back: what a worker process answers. JSON, since nothing in it can run."""

import json
from typing import Any

from chinese_llm_rag.document_loaders.page_texts import PageDetails, PageTexts
from chinese_llm_rag.schema import Mark, Place


def to_json(read: PageTexts) -> dict[str, Any]:
    """The texts and details as JSON values."""
    return {
        "texts": read.texts,
        "problems": read.problems,
        "encoding": read.encoding,
        "pages": [
            {
                "place": page.place and page.place.to_dict(),
                "marks": [mark.to_dict() for mark in page.marks],
                "furniture": page.furniture,
                "problem": page.problem,
            }
            for page in read.pages
        ],
    }


def from_json(values: dict[str, Any]) -> PageTexts:
    """What to_json was given."""
    return PageTexts(
        tuple(values["texts"]),
        tuple(values["problems"]),
        tuple(
            PageDetails(
                Place(**page["place"]) if page["place"] else None,
                tuple(Mark(**mark) for mark in page["marks"]),
                tuple(page["furniture"]),
                page["problem"],
            )
            for page in values["pages"]
        ),
        values["encoding"],
    )


def encode(message: dict[str, Any]) -> bytes:
    """A message for a pipe."""
    return json.dumps(message).encode("ascii")


def decode(data: bytes) -> dict[str, Any]:
    """What encode was given."""
    message: dict[str, Any] = json.loads(data)
    return message
