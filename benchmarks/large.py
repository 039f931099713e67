"""A 512 x 512 x 300 DICOM series from files to report: seconds and peak memory."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPE = (300, 512, 512)
SPACING_MM = (2.0, 0.78125, 0.78125)


def write_series(folder: Path, shape: tuple[int, int, int] = SHAPE) -> None:
    """An elliptical trunk with lungs, spine and noise as uncompressed CT images."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    rng = np.random.default_rng(1)
    nz, ny, nx = shape
    y = (np.arange(ny) - ny / 2)[:, None] * SPACING_MM[1]
    x = (np.arange(nx) - nx / 2)[None, :] * SPACING_MM[2]
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    for k in range(nz):
        image = np.full((ny, nx), -1000.0)
        image[(x / 170) ** 2 + (y / 115) ** 2 < 1] = 40
        if k > nz // 2:
            for side in (-1, 1):
                image[((x - side * 80) / 60) ** 2 + (y / 80) ** 2 < 1] = -820
        image[(x / 22) ** 2 + ((y - 75) / 20) ** 2 < 1] = 450
        image += rng.normal(0, 12, image.shape)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d = pydicom.Dataset()
        d.file_meta = meta
        d.SOPClassUID, d.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        d.SeriesInstanceUID, d.StudyInstanceUID, d.FrameOfReferenceUID = series, study, frame
        d.Modality, d.PatientPosition, d.ImageType = "CT", "HFS", ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.PatientID, d.PatientName, d.InstanceNumber = "bench", "", k + 1
        d.Manufacturer, d.ManufacturerModelName = "SIEMENS", "SOMATOM Definition AS"
        d.KVP, d.XRayTubeCurrent, d.ExposureTime = 120, 200, 500
        d.SpiralPitchFactor, d.TotalCollimationWidth, d.SingleCollimationWidth = 1.0, 38.4, 0.6
        d.RevolutionTime, d.CTDIvol, d.SliceThickness = 0.5, 7.0, SPACING_MM[0]
        code = pydicom.Dataset()
        code.CodeValue, code.CodingSchemeDesignator = "113691", "DCM"
        code.CodeMeaning = "IEC Body Dosimetry Phantom"
        d.CTDIPhantomTypeCodeSequence = [code]
        d.ImagePositionPatient = [float(x[0, 0]), float(y[0, 0]), k * SPACING_MM[0]]
        d.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        d.PixelSpacing = [SPACING_MM[1], SPACING_MM[2]]
        d.Rows, d.Columns, d.SamplesPerPixel = ny, nx, 1
        d.PhotometricInterpretation, d.PixelRepresentation = "MONOCHROME2", 0
        d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
        d.RescaleSlope, d.RescaleIntercept = 1, -1024
        d.PixelData = np.clip(image + 1024, 0, 4095).astype(np.uint16).tobytes()
        d.save_as(folder / f"{k:04d}.dcm", enforce_file_format=True)


def run(shape: tuple[int, int, int] = SHAPE) -> dict[str, object]:
    """Write the series, run `milligray ct-dose` on it, report wall seconds and peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ct").mkdir()
        write_series(folder / "ct", shape)
        command = [
            sys.executable, "-m", "milligray.cli.main", "ct-dose", str(folder / "ct"),
            "--segmenter", "threshold", "--out", str(folder / "out"), "--json", "--quiet",
        ]  # fmt: skip
        started = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - our own command
            command, check=True, capture_output=True, env=os.environ.copy()
        )
        seconds = time.perf_counter() - started
        result = json.loads(done.stdout)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    return {
        "shape": shape, "seconds": seconds, "peak_gb": peak, "stages": result["stage_seconds"],
        "histories": result["histories"],
    }  # fmt: skip
