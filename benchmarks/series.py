"""A synthetic trunk of any length as a DICOM series, with labels: what large exams are timed on."""

from pathlib import Path

import numpy as np

SPACING_MM = (2.0, 0.78125, 0.78125)
LABELS = {1: "lung_left", 2: "lung_right", 3: "vertebrae", 4: "soft_tissue"}
PLANE = (512, 512)


def write_series(folder: Path, n_slices: int) -> None:
    """An elliptical trunk with lungs, spine and noise as uncompressed CT images."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    rng = np.random.default_rng(1)
    ny, nx = PLANE
    y = (np.arange(ny) - ny / 2)[:, None] * SPACING_MM[1]
    x = (np.arange(nx) - nx / 2)[None, :] * SPACING_MM[2]
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    for k in range(n_slices):
        image = _hu_of_labels(_labels_of_slice(k, n_slices))
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


def write_labels(path: Path, n_slices: int) -> None:
    """The organs of that trunk as NIfTI (uint8) on the CT's grid."""
    import json

    import nibabel as nib

    labels = np.stack([_labels_of_slice(k, n_slices) for k in range(n_slices)])
    ny, nx = PLANE
    affine = np.diag([-SPACING_MM[2], -SPACING_MM[1], SPACING_MM[0], 1.0])
    affine[:3, 3] = 0.5 * nx * SPACING_MM[2], 0.5 * ny * SPACING_MM[1], 0.0
    nib.save(nib.Nifti1Image(labels.T, affine), path)  # type: ignore[no-untyped-call]
    names = path.with_name(path.name.removesuffix(".nii.gz") + ".json")
    names.write_text(json.dumps({str(k): v for k, v in LABELS.items()}), "utf-8")


def _labels_of_slice(k: int, n_slices: int) -> np.ndarray:
    ny, nx = PLANE
    y = (np.arange(ny) - ny / 2)[:, None] * SPACING_MM[1]
    x = (np.arange(nx) - nx / 2)[None, :] * SPACING_MM[2]
    labels = np.zeros(PLANE, dtype=np.uint8)
    labels[(x / 170) ** 2 + (y / 115) ** 2 < 1] = 4
    if k > n_slices // 2:
        for label, side in ((1, 1), (2, -1)):
            labels[((x - side * 80) / 60) ** 2 + (y / 80) ** 2 < 1] = label
    labels[(x / 22) ** 2 + ((y - 75) / 20) ** 2 < 1] = 3
    return labels


def _hu_of_labels(labels: np.ndarray) -> np.ndarray:
    return np.array([-1000.0, -820.0, -820.0, 450.0, 40.0])[labels]
