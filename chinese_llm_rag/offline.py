"""Keep the packages below us from calling home or downloading."""

import os

_SWITCHES = {
    "ANONYMIZED_TELEMETRY": "False",  # Chroma
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime looks a host up at import without it
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}


def forbid_calling_home() -> None:
    """Set the switches of every package we use; call it before any of them is imported.

    Commands whose name says that they download (`models fetch`) do not rely on these packages' hubs.
    """
    os.environ.update(_SWITCHES)
