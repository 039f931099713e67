"""What random scan protocols are drawn from: a TOML file of stated distributions."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from milligray.data.loader import data_path
from milligray.draws import Distribution
from milligray.errors import FormatError, InputError
from milligray.source.scanner_library import load_scanner

DEFAULT = "protocols/default.toml"
REGIONS = ("whole", "part", "head", "neck", "chest", "abdomen", "pelvis")
_SINGLE = ("tube_voltage_kv", "scan_mode", "start_angle", "pitch", "region", "part_of_image",
           "region_margin_mm", "head_below_diameter_mm", "scanner")  # fmt: skip
_SECTIONS = {
    "modulation": ("share", "strength", "limits"),
    "ctdi_vol_mgy": ("head", "body"),
    "collimation_mm": None,
}
_CHOICES = {
    "scan_mode": ("helical", "axial"), "start_angle": ("averaged", "random"), "region": REGIONS,
}  # fmt: skip
_POSITIVE = ("tube_voltage_kv", "pitch", "part_of_image")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolDistributions:
    """Distributions of all that makes a CT protocol.

    Parameters
    ----------
    tube_voltage_kv, scan_mode, start_angle, pitch, region, part_of_image, region_margin_mm, \
head_below_diameter_mm, scanner : Distribution
        ``docs/methods/training-sets.md`` says how each is used.
    modulated_share : float
        Share of scans whose current is modulated.
    modulation_strength : Distribution
    modulation_limits : (low, high)
        Of the current over its mean.
    ctdi_vol_head_mgy, ctdi_vol_body_mgy : Distribution
    collimation_mm : mapping of scanner to Distribution
    """

    tube_voltage_kv: Distribution
    scan_mode: Distribution
    start_angle: Distribution
    pitch: Distribution
    region: Distribution
    part_of_image: Distribution
    region_margin_mm: Distribution
    head_below_diameter_mm: Distribution
    scanner: Distribution
    modulated_share: float
    modulation_strength: Distribution
    modulation_limits: tuple[float, float]
    ctdi_vol_head_mgy: Distribution
    ctdi_vol_body_mgy: Distribution
    collimation_mm: Mapping[str, Distribution]

    @classmethod
    def from_document(cls, content: Mapping[str, Any], name: str) -> "ProtocolDistributions":
        """From the parsed file.

        Raises
        ------
        InputError
            If a key is missing, unknown, or no distribution.
        """
        _check_keys(content, name)

        def one(key: str, table: Mapping[str, Any] = content, where: str = "") -> Distribution:
            return Distribution.from_table(table[key], f"{name}: {where}{key}")

        modulation, ctdi = content["modulation"], content["ctdi_vol_mgy"]
        low, high = modulation["limits"]
        if not 0 < low <= 1 <= high:
            raise InputError(f"{name}: modulation limits must enclose 1, got {low:g} to {high:g}")
        widths = content["collimation_mm"]
        found = cls(
            **{key: one(key) for key in _SINGLE},
            modulated_share=float(modulation["share"]),
            modulation_strength=one("strength", modulation, "modulation."),
            modulation_limits=(float(low), float(high)),
            ctdi_vol_head_mgy=one("head", ctdi, "ctdi_vol_mgy."),
            ctdi_vol_body_mgy=one("body", ctdi, "ctdi_vol_mgy."),
            collimation_mm={key: one(key, widths, "collimation_mm.") for key in widths},
        )
        _check_values(found, name)
        return found


def read_distributions(path: str | Path | None = None) -> tuple[ProtocolDistributions, str]:
    """Read distributions from a file; default: the shipped ones.

    Returns
    -------
    ProtocolDistributions
    text : str
        The file as it stands, for the manifest.

    Raises
    ------
    InputError, FormatError
    """
    if path is None:
        name, text = DEFAULT, data_path(DEFAULT).read_text(encoding="utf-8")
    else:
        path = Path(path)
        name = path.name
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot read the protocols {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise FormatError(f"{path.name} is not UTF-8 text") from error
    return parse_distributions(text, name), text


def parse_distributions(text: str, name: str = "protocols") -> ProtocolDistributions:
    """Distributions from the text of a file."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{name} is no TOML: {error}") from error
    return ProtocolDistributions.from_document(content, name)


def _check_keys(content: Mapping[str, Any], name: str) -> None:
    known = (*_SINGLE, *_SECTIONS)
    for key in content:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise InputError(f"{name}: unknown key {key!r}; {hint}")
    missing = [key for key in known if key not in content]
    for section, keys in _SECTIONS.items():
        if section in content and not isinstance(content[section], dict):
            raise InputError(f"{name}: [{section}] must be a section")
        if keys is not None and section in content:
            missing += [f"{section}.{key}" for key in keys if key not in content[section]]
            unknown = sorted(set(content[section]) - set(keys))
            if unknown:
                raise InputError(f"{name}: unknown key in [{section}]: {', '.join(unknown)}")
    if missing:
        raise InputError(f"{name}: missing {', '.join(missing)}")


def _check_values(found: ProtocolDistributions, name: str) -> None:
    for key, allowed in _CHOICES.items():
        wrong = [v for v in getattr(found, key).possible() if v not in allowed]
        if wrong:
            raise InputError(f"{name}: {key} must be among {', '.join(allowed)}, got {wrong[0]!r}")
    for key in _POSITIVE:
        values = getattr(found, key).possible()
        if any(isinstance(v, str) or not v > 0 for v in values):
            raise InputError(f"{name}: {key} must be numbers > 0")
    for scanner in found.scanner.possible():
        load_scanner(str(scanner))
        if scanner not in found.collimation_mm:
            raise InputError(f"{name}: [collimation_mm] has no line for scanner {scanner!r}")
