"""Populations: parameters of many persons drawn from stated distributions."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milligray.anatomy.blueprint import load_blueprint
from milligray.anatomy.parameters import AnatomyParameters
from milligray.data.loader import load_toml
from milligray.draws import Distribution, fraction
from milligray.errors import FormatError, InputError

SHIPPED = "anatomy/populations.toml"
QUANTITIES = ("sex", "height_mm", "bmi", "fat_scale", "organ_scale", "lung_density_g_cm3", "arms",
              "variation")  # fmt: skip
FIXED_ORGANS = ("vertebra", "rib_", "disc", "spinal_canal", "fluid", "teeth")
"""Parts of names of what is no organ of its own size: it keeps its place in the skeleton."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Distributions of the parameters, by sex.

    Parameters
    ----------
    name : str
    sex : Distribution
    by_sex : mapping of str to mapping of str to Distribution
        Of all other `QUANTITIES`, for "male" and "female".
    """

    name: str
    sex: Distribution
    by_sex: Mapping[str, Mapping[str, Distribution]]

    def person(self, number: int, seed: int) -> AnatomyParameters:
        """Parameters of one person: the same whoever else is drawn.

        Parameters
        ----------
        number : int
            Counted from 1.
        seed : int
            Of the population.
        """

        def share(*key: object) -> float:
            return fraction("anatomy", seed, number, *key)

        sex = str(self.sex.draw(share("sex")))
        table = self.by_sex[sex]

        def number_of(name: str) -> float:
            return float(table[name].draw(share(name)))

        height = number_of("height_mm")
        return AnatomyParameters(
            sex=sex,  # type: ignore[arg-type]  # checked on construction
            height_mm=height,
            weight_kg=number_of("bmi") * (1e-3 * height) ** 2,
            fat_scale=number_of("fat_scale"),
            organ_scale={
                organ: float(table["organ_scale"].draw(share("organ_scale", _body_part(organ))))
                for organ in scaled_organs(sex)
            },
            lung_density_g_cm3=number_of("lung_density_g_cm3"),
            arms=str(table["arms"].draw(share("arms"))),  # type: ignore[arg-type]
            variation=number_of("variation"),
            seed=int(share("seed") * 2**31),
        )


def read_population(name: str | Path) -> Population:
    """A shipped population by its name, or one from a TOML file of the same form.

    Raises
    ------
    InputError
        If there is no such population, or a quantity is missing or unknown.
    FormatError
        If the file is no TOML.
    """
    shipped = load_toml(SHIPPED)
    if str(name) in shipped:
        return _population(shipped[str(name)], str(name))
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"no population {str(name)!r}: neither a file nor one of {', '.join(shipped)}"
        )
    try:
        return _population(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path.name} is no TOML: {error}") from error


def scaled_organs(sex: str) -> tuple[str, ...]:
    """Organs of a sex whose volumes are drawn: all with a target that are no bones."""
    _, structures = load_blueprint(sex)
    return tuple(
        s.name
        for s in structures
        if (s.mass or s.volume_ml)
        and s.site is None
        and s.tissue != "lung"
        and not any(part in s.name for part in FIXED_ORGANS)
    )


def _body_part(organ: str) -> str:
    """What shares one factor: chambers of the heart; the two of a pair have their own."""
    return "heart" if organ.startswith("heart") else organ


def _population(table: Mapping[str, Any], name: str) -> Population:
    sexes = ("male", "female")
    unknown = set(table) - {*QUANTITIES, *sexes}
    if unknown:
        raise InputError(f"population {name}: unknown {', '.join(sorted(unknown))}")
    by_sex = {}
    for sex in sexes:
        merged = {**{k: v for k, v in table.items() if k not in sexes}, **table.get(sex, {})}
        missing = [q for q in QUANTITIES if q not in merged]
        if missing:
            raise InputError(f"population {name}, {sex}: missing {', '.join(missing)}")
        by_sex[sex] = {
            q: Distribution.from_table(merged[q], f"population {name}: {q}")
            for q in QUANTITIES
            if q != "sex"
        }
    of_sex = Distribution.from_table(table["sex"], f"population {name}: sex")
    wrong = [v for v in of_sex.possible() if v not in sexes]
    if wrong:
        raise InputError(f"population {name}: sex must be male or female, got {wrong[0]!r}")
    return Population(name=name, sex=of_sex, by_sex=by_sex)
