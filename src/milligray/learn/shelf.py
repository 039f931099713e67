"""The networks that ship with the package."""

from importlib import resources
from pathlib import Path

from milligray.errors import InputError
from milligray.learn.card import CARD
from milligray.learn.card_values import choices


def list_networks() -> tuple[str, ...]:
    """Names of the shipped networks."""
    shelf = _shelf()
    if not shelf.is_dir():
        return ()
    return tuple(sorted(path.name for path in shelf.iterdir() if (path / CARD).is_file()))


def find_network(name_or_folder: str | Path) -> Path:
    """Folder of a network.

    Parameters
    ----------
    name_or_folder : str or Path
        A name of `list_networks`, or a folder with a ``card.json``. A name wins over a folder of
        the same name; write ``./name`` for the folder.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is none; the message gives the nearest name.
    """
    names = list_networks()
    if str(name_or_folder) in names and not isinstance(name_or_folder, Path):
        return _shelf() / str(name_or_folder)
    folder = Path(name_or_folder)
    if (folder / CARD).is_file():
        return folder
    if folder.is_dir():
        raise InputError(f"{folder} holds no network (no {CARD})")
    raise InputError(
        f"no network named {str(name_or_folder)!r}{choices(str(name_or_folder), names)}; or give a"
        f" folder with a {CARD}"
    )


def _shelf() -> Path:
    # a folder of files on disk: onnxruntime opens paths, and the package is installed unzipped
    return Path(str(resources.files("milligray.data"))) / "networks"
