"""Optional packages of this stage, and the extra that brings them."""

from importlib.util import find_spec

from milligray.errors import MissingExtraError

_PACKAGES = {
    "torch": "torch", "pytorch_lightning": "pytorch-lightning", "onnx": "onnx",
    "onnxscript": "onnxscript",
}  # fmt: skip


def require_torch() -> None:
    """Make sure that networks can be trained; raises MissingExtraError."""
    absent = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if absent:
        raise MissingExtraError(
            f"training networks needs {', '.join(absent)}: pip install 'milligray[learn]'"
        )
