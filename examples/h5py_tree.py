"""Find the first dataset of an HDF5 file that has a NaN: h5py's visititems as a loop.

The loop reads from the file that visititems walks, and leaves the walk when it is done.
h5py holds a global lock during visititems, so that the same on a thread would hang.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np

import pullit


def make(path: Path) -> None:
    """Write a file with the measurements of two weeks, one of them spoilt."""
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for week in 1, 2:
            for day in "mon", "tue", "wed":
                file[f"week{week}/{day}"] = rng.random(1000)
        file["week1/wed"][70] = np.nan


with tempfile.TemporaryDirectory() as folder:
    make(Path(folder, "measurements.h5"))
    with h5py.File(Path(folder, "measurements.h5")) as file:
        with pullit.iterate(pullit.from_callback(file.visititems)) as items:
            for name, item in items:
                if not isinstance(item, h5py.Dataset):
                    continue
                (holes,) = np.isnan(item[:]).nonzero()
                print(f"{name}: mean {np.nanmean(item[:]):.3f}, {len(holes)} missing")
                if len(holes):
                    break
        print(f"the first to repair is {name}, at {holes[0]}")
