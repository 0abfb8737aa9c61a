"""A start from the desktop: an entry on Linux, a script on macOS, a shortcut on Windows. Needs no package."""

import os
import subprocess
import sys
from pathlib import Path

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

_NAME = "chinese-llm-rag"
_ENTRY = """[Desktop Entry]
Type=Application
Name=Chinese LLM RAG
Name[zh_CN]=中文文档问答
Comment=Questions over your own Chinese documents, offline
Comment[zh_CN]=离线对自己的中文文档提问
Exec={command}
Icon=accessories-dictionary
Terminal=false
Categories=Office;
"""
_SHORTCUT = (
    "$s = (New-Object -ComObject WScript.Shell).CreateShortcut($args[0]);"
    "$s.TargetPath = $args[1]; $s.Arguments = '-m chinese_llm_rag app'; $s.Save()"
)


def install(platform: str = sys.platform, home: Path | None = None) -> Path:
    """Make the shortcut; the file that was made. One of the same name is replaced.

    Args:
        platform: as sys.platform names it.
        home: the user's folder.

    Raises:
        ConfigError: it could not be written.
    """
    user = home if home is not None else Path.home()
    try:
        if platform == "win32":
            return _windows(user)
        if platform == "darwin":
            return _macos(user)
        return _linux(user)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(
            say(f"cannot make the shortcut: {error}", f"无法创建快捷方式：{error}"),
            hint=say("start it with: clrag app", "请用 clrag app 启动"),
        ) from error


def _linux(user: Path) -> Path:
    folder = Path(os.environ.get("XDG_DATA_HOME") or user / ".local" / "share") / "applications"
    command = " ".join(_quoted(part) for part in (sys.executable, "-m", "chinese_llm_rag", "app"))
    return _write(folder / f"{_NAME}.desktop", _ENTRY.format(command=command))


def _macos(user: Path) -> Path:
    script = f"#!/bin/sh\nexec {_shell(sys.executable)} -m chinese_llm_rag app\n"
    return _write(user / "Desktop" / f"{_NAME}.command", script)


def _windows(user: Path) -> Path:
    link = user / "Desktop" / f"{_NAME}.lnk"
    python = Path(sys.executable).with_name("pythonw.exe")
    subprocess.run(
        ["powershell", "-NoProfile", "-Command", f"& {{{_SHORTCUT}}}", str(link), str(python)],
        check=True,
        capture_output=True,
    )
    return link


def _write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
    return file


def _quoted(part: str) -> str:
    """As the Exec line of a desktop entry has it; a percent sign would begin a field code."""
    escaped = part.replace("\\", "\\\\\\\\").replace('"', '\\\\"').replace("`", "\\\\`").replace("$", "\\\\$")
    return f'"{escaped}"'.replace("%", "%%")


def _shell(part: str) -> str:
    return "'" + part.replace("'", "'\\''") + "'"
