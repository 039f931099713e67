"""From torch to ONNX: one file, checked against the module that it came from."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from milligray.errors import InputError
from milligray.learn.card_values import nearest

OPSET = 17
TOLERANCE = 1e-4


def export_onnx(
    module: nn.Module,
    example_inputs: Mapping[str, Tensor],
    path: str | Path,
    *,
    output_names: Sequence[str],
    dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
    tolerance: float = TOLERANCE,
) -> float:
    """Write a module as ONNX and compare both.

    Parameters
    ----------
    module : nn.Module
        Its ``forward`` takes the inputs in the order of `example_inputs`, and gives a tensor or a
        tuple of tensors. Exported in eval mode; its mode, device and weights are left as they are.
    example_inputs : mapping of str to Tensor
        With the batch axis.
    path : str or Path
        Written under another name and renamed once it agrees.
    output_names : sequence of str
    dynamic_axes : mapping of input or output to {axis: name}, optional
        Axes of any length (default: axis 0 of all, "batch").
    tolerance : float
        Of `difference`.

    Returns
    -------
    float
        ``difference = max |onnx - torch| / max(1, max |torch|)`` over the example, and over a
        random input of another length along each dynamic axis.

    Raises
    ------
    InputError
        If they differ by more, or an axis is not as free as it was said to be.

    Notes
    -----
    Exported by tracing: a module whose path depends on its values is not for this function (and
    would not pass the comparison). Weights are float32, in the file itself. Opset 17.
    """
    path = Path(path)
    names = [*example_inputs, *output_names]
    axes = {name: {0: "batch"} for name in names} if dynamic_axes is None else dynamic_axes
    for name in axes:
        if name not in names:
            raise InputError(f"no input or output {name!r}{nearest(name, names)}")
    devices = {p.device for p in module.parameters()} | {b.device for b in module.buffers()}
    home = next(iter(devices), torch.device("cpu"))
    modes = [(one, one.training) for one in module.modules()]
    partial = path.with_name(f".{path.name}.partial")
    module.to("cpu").eval()
    try:
        example = {k: v.detach().to("cpu", torch.float32) for k, v in example_inputs.items()}
        with torch.no_grad():
            _outputs(module, example, output_names)
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                module, tuple(example.values()), str(partial), dynamo=False,
                input_names=list(example), output_names=list(output_names),
                dynamic_axes={name: dict(one) for name, one in axes.items()}, opset_version=OPSET,
            )  # fmt: skip
        worst = max(
            _difference(module, partial, inputs, output_names)
            for inputs in (example, _of_other_size(example, axes))
        )
        if not worst <= tolerance:
            raise InputError(f"ONNX and torch differ by {worst:.2g} (more than {tolerance:g})")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        module.to(home)
        for one, training in modes:
            one.training = training
    return worst


def _of_other_size(
    example: Mapping[str, Tensor], axes: Mapping[str, Mapping[int, str]]
) -> dict[str, Tensor]:
    """Random inputs, twice (batch: one more) as long along the dynamic axes."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, value in example.items():
        shape = list(value.shape)
        for axis in axes.get(name, {}):
            # a doubled axis can be halved as often as the example's, as nets with pooling need
            shape[axis] = shape[axis] + 1 if axis == 0 else 2 * shape[axis]
        spread = value.std() if value.numel() > 1 else torch.tensor(1.0)
        found[name] = value.mean() + spread * torch.randn(shape, generator=generator)
    return found


def _difference(
    module: nn.Module, path: Path, inputs: Mapping[str, Tensor], output_names: Sequence[str]
) -> float:
    import onnxruntime  # noqa: PLC0415 - slow to import

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with torch.no_grad():
        there = _outputs(module, inputs, output_names)
    try:
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        used = {one.name for one in session.get_inputs()}
        here = session.run(
            list(output_names), {k: v.numpy() for k, v in inputs.items() if k in used}
        )
    except Exception as error:  # onnxruntime raises half a dozen classes without a common root
        raise InputError(f"the ONNX file does not run at other lengths: {error}") from error
    worst = 0.0
    for mine, its in zip(here, there, strict=True):
        wanted = its.numpy()
        if mine.shape != wanted.shape:
            raise InputError(f"ONNX gives shape {mine.shape}, torch {wanted.shape}")
        scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
        worst = max(worst, float(np.abs(mine - wanted).max(initial=0.0)) / scale)
    return worst


def _outputs(
    module: nn.Module, inputs: Mapping[str, Tensor], output_names: Sequence[str]
) -> tuple[Tensor, ...]:
    there = module(*inputs.values())
    there = (there,) if isinstance(there, Tensor) else tuple(there)
    if len(there) != len(output_names):
        raise InputError(f"the module has {len(there)} outputs, not {len(output_names)}")
    return there


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # tracing is older than torch.export, and forty times faster; see decision 0016
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            # what a trace takes as fixed is found by the comparison at another size
            warnings.filterwarnings("ignore", message="Converting a tensor to a Python.*")
            # instance norm has one mode only
            warnings.filterwarnings("ignore", message=".*operator 'instance_norm'.*")
            yield
    finally:
        logger.setLevel(level)
