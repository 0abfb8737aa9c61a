"""What an ingest run has to do, found out by hashes alone: what is new, changed, moved, a copy, gone."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.knowledge_base.discover import Discovery
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.parsing import content_hash
from chinese_llm_rag.knowledge_base.records import FileRecord


@dataclass(slots=True)
class Triage:
    """Files by what is to be done with them.

    Attributes:
        unchanged: as they are on record.
        to_parse: new or changed content, with its size and time of change.
        copies: content that is in the base, or is parsed in this run, under another name.
        moved: from new names to those that their content had, and that are gone.
        moved_records: what is to be put on record under the new names.
        failed: files that cannot be read.
        missing: names of the base that should have been met in the folders and are gone.
    """

    unchanged: list[FileRecord] = field(default_factory=list)
    to_parse: dict[Path, FileRecord] = field(default_factory=dict)
    copies: list[FileRecord] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    moved_records: list[FileRecord] = field(default_factory=list)
    failed: dict[Path, DocumentError] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def triage(found: Discovery, manifest: Manifest, *, reread: bool = False) -> Triage:
    """Sort the files of a run; reads each file once, for its hash.

    Args:
        found: the files.
        manifest: what the base holds.
        reread: whether unchanged files are parsed again.
    """
    result = Triage()
    missing = dict.fromkeys(_missing(found, manifest))
    coming: set[str] = set()
    for path in found.files:
        try:
            record = _record(path)
        except DocumentError as error:
            result.failed[path] = error
            continue
        identity = record.content_hash or ""
        known = manifest.file(record.path)
        names = manifest.paths_of(identity)
        if known is not None and known.content_hash == identity:
            if reread and identity not in coming:
                coming.add(identity)
                result.to_parse[path] = replace(record, tags=known.tags)
            else:
                result.unchanged.append(known)
        elif names or identity in coming:
            before = next((name for name in names if name in missing or not os.path.lexists(name)), None)
            if before is None or known is not None or before in result.moved.values():
                result.copies.append(record)
            else:
                missing.pop(before, None)
                result.moved[record.path] = before
                result.moved_records.append(record)
        else:
            coming.add(identity)
            result.to_parse[path] = replace(record, tags=known.tags if known else ())
    result.missing.extend(missing)
    return result


def _record(path: Path) -> FileRecord:
    identity = content_hash(path)
    status = path.stat()
    return FileRecord(str(path), identity, status.st_size, status.st_mtime_ns, "indexed")


def _missing(found: Discovery, manifest: Manifest) -> list[str]:
    """Names of the base in the run's folders that are on the disk no more; none below what cannot be read."""
    unreadable = {folder for folder, _ in found.unreadable}
    missing = []
    for record in manifest.files():
        above = Path(record.path).parents
        expected = any(folder in above for folder in found.folders) and not unreadable.intersection(above)
        if expected and not os.path.lexists(record.path):
            missing.append(record.path)
    return missing
