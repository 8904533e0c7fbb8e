"""The published vectors and the modules beside them, which are no package of the signer."""

import base64
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[3] / "tests" / "vectors"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"published_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


check_vectors = _load("check_vectors")  # which makes its sisters importable
counting = importlib.import_module("counting")
generate = _load("generate")
cases = generate.cases


def document(name: str) -> dict:
    """Return one of the vector files."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def refused_bytes(vector: dict) -> bytes:
    """Return what a vector of `refused.json` sends."""
    return base64.b64decode(vector["base64"]) if "base64" in vector else json.dumps(vector["payload"]).encode("utf-8")
