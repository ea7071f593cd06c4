"""Iceberg's own files, metadata and manifests, read and written by Python.

PyIceberg would take PyArrow's datasets for it, and with them pandas, whose import takes longer than a look at a table.
"""

from pathlib import Path
from typing import BinaryIO

from pyiceberg.io import FileIO, InputFile, OutputFile

from resources import iceberg


class LocalFile(InputFile, OutputFile):  # type: ignore[misc]
    """A file of the lake by its address, such as file:///lake/orders/metadata/0.json."""

    @property
    def path(self) -> Path:
        """Where it lies on this machine."""
        return Path(iceberg.path(self.location))

    def __len__(self) -> int:
        return self.path.stat().st_size

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def open(self, seekable: bool = True) -> BinaryIO:
        """Its bytes, to read. FileNotFoundError where there is no such file."""
        return self.path.open("rb")

    def create(self, overwrite: bool = False) -> BinaryIO:
        """The file, to be written, and its folder. FileExistsError where it is there and is not to be overwritten."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.path.open("wb" if overwrite else "xb")

    def to_input_file(self) -> "LocalFile":
        """The same file, to be read."""
        return self


class LocalFiles(FileIO):  # type: ignore[misc]
    """The files of a lake on this machine."""

    def new_input(self, location: str) -> LocalFile:
        """The file at an address, to be read."""
        return LocalFile(location)

    def new_output(self, location: str) -> LocalFile:
        """The file at an address, to be written."""
        return LocalFile(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove a file. FileNotFoundError where there is no such file."""
        file = LocalFile(location) if isinstance(location, str) else location
        Path(iceberg.path(file.location)).unlink()
