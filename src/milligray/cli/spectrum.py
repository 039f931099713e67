"""`milligray spectrum`: an X-ray spectrum with its half-value layer."""

import json
import sys
from typing import Annotated

import typer

from milligray.cli.options import Json


def spectrum(
    tube_voltage_kv: Annotated[float, typer.Option("--tube-voltage-kv", help="60 to 150 kV.")],
    half_value_layer_mm_al: Annotated[
        float | None, typer.Option("--half-value-layer-mm-al", help="First HVL to match.")
    ] = None,
    filtration_mm_al: Annotated[
        float | None, typer.Option("--filtration-mm-al", help="Total filtration instead.")
    ] = None,
    scanner: Annotated[
        str | None, typer.Option("--scanner", help="Beam of a scanner of the library instead.")
    ] = None,
    bowtie: Annotated[str, typer.Option("--bowtie", help="Bowtie of that scanner.")] = "body",
    anode_angle_deg: Annotated[float, typer.Option("--anode-angle-deg")] = 8.0,
    json_output: Json = False,
) -> None:
    """X-ray spectrum matched to a half-value layer; a CSV on stdout, or JSON."""
    from milligray.errors import InputError
    from milligray.source.scanner_library import load_scanner
    from milligray.source.tube import make_spectrum

    if scanner is not None:
        model = load_scanner(scanner)
        half_value_layer_mm_al = model.half_value_layer_at(bowtie, tube_voltage_kv)
        anode_angle_deg = model.anode_angle_deg
    if (half_value_layer_mm_al is None) == (filtration_mm_al is None):
        raise InputError("give one of --half-value-layer-mm-al, --filtration-mm-al or --scanner")
    result = make_spectrum(
        tube_voltage_kv,
        half_value_layer_mm_al=half_value_layer_mm_al,
        filtration_mm_al=filtration_mm_al,
        anode_angle_deg=anode_angle_deg,
    )
    if json_output:
        document = {
            "name": result.name,
            "mean_energy_kev": result.mean_energy_kev,
            "half_value_layer_mm_al": result.half_value_layer_mm_al,
            "fluence_at_1m_per_cm2_mas": result.fluence_per_cm2_mas,
            "edges_kev": result.edges_kev.tolist(),
            "weights": result.weights.tolist(),
        }
        json.dump(document, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    sys.stdout.write(f"# {result.name}; mean {result.mean_energy_kev:.2f} keV\n")
    sys.stdout.write("low_kev,high_kev,relative_photons\n")
    for low, high, weight in zip(
        result.edges_kev[:-1], result.edges_kev[1:], result.weights, strict=True
    ):
        sys.stdout.write(f"{low:g},{high:g},{weight:.8g}\n")
