"""Shipped tables, one folder per publication, and their only loader."""

from milligray.data.loader import data_path, load_csv, load_json, load_toml, sample_folder

__all__ = ["data_path", "load_csv", "load_json", "load_toml", "sample_folder"]
