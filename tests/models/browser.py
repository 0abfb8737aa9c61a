"""Headless Chromium for end-to-end tests: Debian's, or one that CHROMIUM and CHROMEDRIVER name."""

import os
import shutil
from pathlib import Path

SKIP_REASON = "needs Chromium and ChromeDriver (Debian: apt-get install chromium chromium-driver)"
_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1280,900"
)


def programs() -> tuple[str, str] | None:
    """The browser and its driver; None where there is none."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    driver = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def start(profile: Path, downloads: Path, *, language: str = "zh-CN"):
    """A browser with a profile of its own, asking for pages in a language."""
    from selenium import webdriver

    found = programs()
    assert found is not None
    options = webdriver.ChromeOptions()
    for flag in _FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.add_experimental_option(
        "prefs",
        {
            "intl.accept_languages": language,
            "intl.selected_languages": language,
            "download.default_directory": str(downloads),
        },
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = found[0]
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(found[1]))
