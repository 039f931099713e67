"""A trained network that runs: its card, and its ONNX files in onnxruntime."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from milligray.errors import FormatError, InputError
from milligray.learn.card import ModelCard, read_card
from milligray.learn.card_values import nearest

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """A network, ready to run.

    Parameters
    ----------
    card : ModelCard
    folder : Path
    hash : str
        SHA-256 over the hashes of its files.
    sessions : tuple of onnxruntime.InferenceSession
        One for every member of the ensemble.
    """

    card: ModelCard
    folder: Path
    hash: str
    sessions: "tuple[InferenceSession, ...]"

    @property
    def members(self) -> int:
        """Number of members of the ensemble."""
        return len(self.sessions)

    @property
    def method(self) -> str:
        """For the ``method`` of a result: ``network:<name>@<first 8 of the hash>``."""
        return f"network:{self.card.name}@{self.hash[:8]}"

    def run(self, inputs: Mapping[str, npt.NDArray[np.floating]], member: int = 0) -> dict[str, Float32Array]:  # fmt: skip  # noqa: E501
        """Run one member.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            By name, with the batch axis; made float32 if they are not.
        member : int

        Returns
        -------
        dict of str to ndarray, float32

        Raises
        ------
        InputError
            If an input is missing, unknown, of the wrong shape or not finite, or an output is not
            finite.
        """
        if not 0 <= member < self.members:
            raise InputError(f"{self.card.name} has members 0 to {self.members - 1}, got {member}")
        session = self.sessions[member]
        outputs = [one.name for one in session.get_outputs()]
        values = session.run(outputs, self._checked(inputs, session))
        found = {}
        for name, value in zip(outputs, values, strict=True):
            found[name] = np.asarray(value, dtype=np.float32)
            if not np.isfinite(found[name]).all():
                raise InputError(f"{self.card.name} gives {name!r} that is not finite here")
        return found

    def run_all(self, inputs: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, Float32Array]:
        """Run all members; outputs have the member as a new first axis."""
        runs = [self.run(inputs, member) for member in range(self.members)]
        return {name: np.stack([run[name] for run in runs]) for name in runs[0]}

    def file(self, name: str) -> Path:
        """One of the network's files, by name."""
        if name not in self.card.files:
            raise InputError(
                f"{self.card.name} has no file {name!r}{nearest(name, self.card.files)}"
            )
        return self.folder / name

    def _checked(
        self, inputs: Mapping[str, npt.NDArray[np.floating]], session: "InferenceSession"
    ) -> dict[str, Float32Array]:
        wanted = {one.name: one.shape for one in session.get_inputs()}
        for name in inputs:
            if name not in wanted:
                raise InputError(f"{self.card.name} has no input {name!r}{nearest(name, wanted)}")
        found = {}
        for name, shape in wanted.items():
            if name not in inputs:
                raise InputError(f"{self.card.name} needs the input {name!r}")
            values = np.ascontiguousarray(inputs[name], dtype=np.float32)
            fixed = [n if isinstance(n, int) else None for n in shape]
            if len(fixed) != values.ndim or any(
                n not in (None, m) for n, m in zip(fixed, values.shape, strict=True)
            ):
                raise InputError(
                    f"input {name!r} of {self.card.name} must have shape {tuple(shape)}, got"
                    f" {values.shape}"
                )
            if not np.isfinite(values).all():
                raise InputError(f"input {name!r} of {self.card.name} is not finite everywhere")
            found[name] = values
        return found


def open_network(folder: str | Path, *, threads: int = 1) -> Network:
    """Open a network: read its card, check its files, make it ready to run.

    Parameters
    ----------
    folder : str or Path
        With ``card.json`` and the files that it names.
    threads : int
        Of onnxruntime within one operation; 1 gives the same bits on any machine of a kind.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        If there is no card, or a file is missing.
    FormatError
        If a file is not the one of the card, or no network that onnxruntime reads; or its inputs
        and outputs are not those of the card.
    """
    if threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    folder = Path(folder)
    card = read_card(folder)
    for name, digest in card.files.items():
        if file_sha256(folder / name) != digest:
            raise FormatError(
                f"{folder / name} is not the file that the card of {card.name} names (SHA-256"
                " differs); install or train the network again"
            )
    sessions = tuple(_session(folder / name, threads) for name in card.members)
    for session, name in zip(sessions, card.members, strict=True):
        for kind, there, told in (
            ("inputs", session.get_inputs(), card.inputs),
            ("outputs", session.get_outputs(), card.outputs),
        ):
            if (have := {one.name for one in there}) != (want := {one.name for one in told}):
                raise FormatError(f"{folder / name} has {kind} {sorted(have)}, its card"
                                  f" {sorted(want)}")  # fmt: skip
    return Network(card=card, folder=folder, hash=files_hash(card.files), sessions=sessions)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file; raises InputError if it is absent."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def files_hash(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted hashes of a network's files."""
    return hashlib.sha256("\n".join(sorted(files.values())).encode()).hexdigest()


def _session(path: Path, threads: int) -> "InferenceSession":
    import onnxruntime  # noqa: PLC0415 - slow to import

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # threads that wait without work would take the processor from other processes
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises half a dozen classes without a common root
        raise FormatError(f"{path} is no network that onnxruntime reads: {error}") from error
