"""Draw the dose picture of the README: a real abdomen and pelvis, three planes.

Usage: python tools/make_dose_picture.py CT.nii.gz LABELS.nii.gz PICTURE.png
The README shows TotalSegmentator's test case of the abdomen and pelvis (Apache-2.0), 3 mm.
"""

import base64
import sys
from pathlib import Path

from milligray.exam import CtSettings, compute_ct_exam
from milligray.read import open_ct, read_labels
from milligray.report.overlay import three_planes_png
from milligray.report.scene import make_scene

PROTOCOL = Path(__file__).parent.parent / "examples" / "abdomen_helical.toml"


def main() -> None:
    """Compute the exam at 0.5 % and draw it."""
    image, labels, picture = (Path(a) for a in sys.argv[1:4])
    ct, protocol = open_ct(image, PROTOCOL)
    result = compute_ct_exam(
        ct, protocol, read_labels(labels), CtSettings(precision=0.003, voxel_size_mm=3.0),
        stage=lambda name: sys.stderr.write(name + " ...\n"),
    )  # fmt: skip
    encoded = three_planes_png(make_scene(result))
    picture.write_bytes(base64.b64decode(encoded.rsplit(",", 1)[-1]))
    for row in result.organ_doses.rows:
        if row.volume_ml > 50:
            sys.stdout.write(
                f"{row.organ:28s} {row.mean_dose_mgy:6.2f} mGy"
                f" {100 * row.relative_uncertainty:5.2f} %\n"
            )
    sys.stdout.write(f"SSDE {result.ssde_mgy:.2f} mGy\n")


if __name__ == "__main__":
    main()
