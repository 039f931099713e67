"""Make a set of organ features from the scans of a set of dose maps: no Monte Carlo again.

python tools/organ_features_of_maps.py DOSE_MAPS --out DIR

Dose maps hold organ doses of random protocols; this adds what an organ network is given of the
same scans. Geometry and exposure belong to the scan on its cubes of 4 mm, radiomics to the CT as
it is (they know no protocol, and are made once a patient). Run again to add new samples.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import Sample, per_value
from milligray.dataset.recompute import spec_of
from milligray.dataset.scan_case import open_scan
from milligray.dataset.storage import read_sample, sample_document, write_sample
from milligray.learn.inputs.organ_exposure import organ_exposure
from milligray.learn.inputs.organ_geometry import organ_geometry
from milligray.learn.inputs.radiomics_features import radiomics_features

KEPT = (
    "organ_names", "organ_dose", "organ_relative_uncertainty", "organ_mass", "organ_volume",
    "organ_fraction_in_image", "current_position", "relative_current",
)  # fmt: skip


def main() -> None:
    """One sample of organ features for every finished sample of dose maps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("maps", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=None, help="folder of the list of patients")
    arguments = parser.parse_args()
    folder, out = SetFolder(arguments.maps), SetFolder(arguments.out)
    manifest = folder.need_manifest()
    base = arguments.base or (folder.root / manifest["list"]["folder"]).resolve()
    out.sample_file("x").parent.mkdir(parents=True, exist_ok=True)
    made, radiomics = {}, {}
    for name, entry in manifest["samples"].items():
        source, target = folder.sample_file(name), out.sample_file(name)
        if not source.exists():
            continue
        if not target.exists():
            stored = read_sample(source, KEPT)
            spec = spec_of(manifest, name, folder.root, base=base)
            photons = stored.attributes["photons"]
            organs = tuple(n.decode() for n in stored.arrays["organ_names"].values)
            if entry["exam"] not in radiomics:
                plain = open_scan(spec, is_regridded=False, photons=photons)
                radiomics[entry["exam"]] = radiomics_features(
                    plain.patient.ct, plain.organs, organs
                )
            scan = open_scan(spec, is_regridded=True, photons=photons)
            if scan.weights.names != organs:
                raise SystemExit(f"{name}: organs are {scan.weights.names}, stored are {organs}")
            parts = (radiomics[entry["exam"]], organ_geometry(scan), organ_exposure(scan))
            arrays = dict(stored.arrays) | {
                "features": per_value(
                    np.concatenate([values for _, values in parts], axis=1),
                    "see docs/methods/training-sets.md",
                    "one row an organ; NaN where a feature does not exist", np.float64,
                ),
                "feature_names": per_value(
                    [column for names, _ in parts for column in names], "", "columns", "S64"
                ),
            }  # fmt: skip
            write_sample(
                Sample(arrays=arrays, attributes=stored.attributes, statistics=stored.statistics),
                target,
            )
            print(name, flush=True)
        document = sample_document(read_sample(target))
        made[name] = entry | {
            "status": "done",
            **{key: document[key] for key in ("attributes", "statistics", "arrays")},
        }
    found = manifest | {
        "kind": "organ-features", "samples": made, "state": "derived",
        "list": manifest["list"] | {"folder": str(base)},
        "derived_from": {"kind": manifest["kind"], "set_sha256": manifest.get("set_sha256")},
    }  # fmt: skip
    (arguments.out / "dataset.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
