"""Connectors: what a feed may read. Each brings a dataset as it is; the feed's SQL maps it to the contract."""

import glob
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from governance.errors import C360Error
from resources.engine import Engine, literal
from resources.text_files import TextFile, TextFileError

COMPRESSION_SUFFIXES = (".gz", ".zst")
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "lines",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


class ConnectorError(C360Error):
    """A source that cannot be read."""


@dataclass(frozen=True)
class Raw:
    """What a connector brought: a SELECT over it, where it came from, and the rows that could not even be split."""

    sql: str
    origin: str
    broken: list[str]


class Connector(BaseModel):
    """What all connectors share: no key but those declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def read(self, name: str, dataset: str, folder: Path, engine: Engine) -> Raw:
        """The raw rows for `dataset`; `name` is the connector's own, relative paths start at `folder`."""
        raise NotImplementedError


class Files(Connector):
    """Files on disk: CSV, Parquet, JSON lines, or plain lines, compressed or not; `path` may be a glob.

    `format` follows the file's ending unless given; `lines` gives one column `line`, for shapes of their own.
    """

    type: Literal["files"]
    path: str
    format: Literal["csv", "parquet", "jsonl", "lines"] | None = None
    delimiter: str | None = None
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    header: bool = True

    def read(self, name: str, dataset: str, folder: Path, engine: Engine) -> Raw:
        """The files' rows; ConnectorError where they are not there or cannot be parsed."""
        where = f"Connector {name}, path {self.path}"
        files = self._files(folder, where)
        kind = self.format or self._format_of(files[0], where)
        try:
            broken: list[str] = []
            if kind != "parquet":
                files, broken = self._stage(kind, files, engine)
            paths = ", ".join(literal(str(file)) for file in files)
            sql = f"SELECT * FROM read_parquet([{paths}], union_by_name = true)"
            engine.query(f"DESCRIBE {sql}")
        except TextFileError as fault:
            raise ConnectorError(f"{where}: {fault}.") from None
        except duckdb.Error as fault:
            # Not chained: DuckDB quotes the row, and the chain ends in Dagster's log.
            raise ConnectorError(f"{where}: {_readable(fault)}") from None
        return Raw(sql, f"{name}: {self._label(folder)}", broken)

    def _files(self, folder: Path, where: str) -> list[Path]:
        pattern = self.path if Path(self.path).is_absolute() else f"{glob.escape(str(folder))}/{self.path}"
        files = sorted(Path(file) for file in glob.glob(pattern, recursive=True))
        if not files:
            raise ConnectorError(
                f"{where}: no such file, looked below {folder}. Correct the path in c360.yaml, or set the environment"
                " variable it uses."
            )
        for file in files:
            if file.stat().st_size == 0:
                raise ConnectorError(f"{where}: {file.name} is empty; not even column names are there.")
        return files

    def _label(self, folder: Path) -> str:
        """The path as people know it: below the deployment's folder where it lies there."""
        path = folder / self.path
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else self.path

    def _format_of(self, file: Path, where: str) -> str:
        ending = _ending(file)
        if ending not in FORMATS:
            known = ", ".join(FORMATS)
            raise ConnectorError(f"{where}: the ending tells no format; set `format`, or use one of {known}.")
        return FORMATS[ending]

    def _stage(self, kind: str, files: list[Path], engine: Engine) -> tuple[list[Path], list[str]]:
        """Text is parsed once, into scratch Parquet files that all feeds of the connector read."""
        stamps = "".join(f"{file}{file.stat().st_mtime_ns}{file.stat().st_size}" for file in files)
        folder = engine.scratch / f"raw-{uuid.uuid5(uuid.NAMESPACE_URL, self.model_dump_json() + stamps).hex}"
        broken = folder / "broken.txt"
        if not broken.exists():
            folder.mkdir(exist_ok=True)
            found = []
            for position, file in enumerate(files):
                delimiter = self.delimiter or ("\t" if _ending(file) == ".tsv" else ",")
                text = TextFile(file, self.encoding, delimiter, self.header)
                found += text.stage(kind, folder / f"{position:05d}.parquet", engine)
            broken.write_text("\n".join(found), encoding="utf-8")
        return sorted(folder.glob("*.parquet")), broken.read_text(encoding="utf-8").splitlines()


class Sample(Connector):
    """The sample company, generated on first use: synthetic customers with all datasets."""

    type: Literal["sample"]
    customers: Annotated[int, Field(ge=1)] = 5_000
    seed: Annotated[int, Field(ge=0)] = 7
    path: str = ".c360/sample"

    def read(self, name: str, dataset: str, folder: Path, engine: Engine) -> Raw:
        """The company's rows of `dataset`."""
        company = folder / self.path / f"customers-{self.customers}-seed-{self.seed}"
        if not company.exists():
            from examples.company.generator import generate

            generate(company, self.customers, self.seed)
        files = Files(type="files", path=str(company / dataset / "*.parquet"))
        return files.read(name, dataset, folder, engine)


AnyConnector = Annotated[Files | Sample, Field(discriminator="type")]


def _ending(file: Path) -> str:
    """The file's ending without that of its compression."""
    suffixes = [suffix for suffix in file.suffixes if suffix not in COMPRESSION_SUFFIXES]
    return suffixes[-1] if suffixes else ""


def _readable(fault: duckdb.Error) -> str:
    """The first lines of DuckDB's message, without the values of rows it may quote."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return " ".join(lines[:1])
