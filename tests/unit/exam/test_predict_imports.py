"""Predicting needs no training library."""

import subprocess
import sys

ABSENT = ("torch", "pytorch_lightning", "onnx", "sklearn", "h5py", "radiomics", "pymedphys")
CODE = f"""
import sys
for name in {ABSENT!r}:
    sys.modules[name] = None
import milligray.exam.predicted_exam, milligray.exam.network_choice, milligray.learn.network
import milligray.read, milligray.report
print(*[name for name in ("matplotlib", "jinja2", "spekpy", "dask") if name in sys.modules])
"""


def test_prediction_is_importable_without_training_libraries_and_starts_light():
    found = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == ""
