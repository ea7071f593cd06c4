"""Connectors: what a feed may read. Each brings a dataset as it is; the feed's SQL maps it to the contract."""

import glob
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from governance.errors import C360Error
from resources.engine import Engine, literal, quoted

# A line may hold a whole letter or an encoded image; DuckDB's own limit is 2 MB.
MAX_LINE_BYTES = 64 * 1024 * 1024
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
    """Files on disk: CSV, Parquet, JSON lines, or plain lines, gzipped or not; `path` may be a glob.

    `format` follows the file's ending unless given; `lines` gives one column `line`, for shapes of their own.
    """

    type: Literal["files"]
    path: str
    format: Literal["csv", "parquet", "jsonl", "lines"] | None = None
    delimiter: str = ","
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    header: bool = True

    def read(self, name: str, dataset: str, folder: Path, engine: Engine) -> Raw:
        """The files' rows; ConnectorError where they are not there or cannot be parsed."""
        files = sorted(glob.glob(str(folder / self.path), recursive=True))
        where = f"Connector {name}, path {self.path}"
        if not files:
            raise ConnectorError(
                f"{where}: no such file, looked below {folder}. Correct the path in c360.yaml, or set the environment"
                " variable it uses."
            )
        empty = [file for file in files if Path(file).stat().st_size == 0]
        if empty:
            raise ConnectorError(f"{where}: {Path(empty[0]).name} is empty; not even column names are there.")
        kind = self.format or self._format_of(files[0], where)
        try:
            sql, broken = self._parquet(files), list[str]()
            if kind != "parquet":
                staged, broken = self._stage(kind, files, where, engine)
                sql = self._parquet(staged)
            engine.query(f"DESCRIBE {sql}")
        except duckdb.Error as fault:
            raise ConnectorError(f"{where}: {_readable(fault)}") from fault
        return Raw(sql, f"{name}: {self._label(folder)}", broken)

    def _label(self, folder: Path) -> str:
        """The path as people know it: below the deployment's folder where it lies there."""
        path = folder / self.path
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else self.path

    def _parquet(self, files: list[str]) -> str:
        paths = ", ".join(literal(file) for file in files)
        return f"SELECT * FROM read_parquet([{paths}], union_by_name = true)"

    def _format_of(self, file: str, where: str) -> str:
        suffixes = [suffix for suffix in Path(file).suffixes if suffix not in COMPRESSION_SUFFIXES]
        if not suffixes or suffixes[-1] not in FORMATS:
            known = ", ".join(FORMATS)
            raise ConnectorError(f"{where}: the ending tells no format; set `format`, or use one of {known}.")
        return FORMATS[suffixes[-1]]

    def _stage(self, kind: str, files: list[str], where: str, engine: Engine) -> tuple[list[str], list[str]]:
        """Text is parsed once, into scratch Parquet files that all feeds of the connector read."""
        folder = engine.scratch / f"raw-{uuid.uuid5(uuid.NAMESPACE_URL, self.model_dump_json() + ''.join(files)).hex}"
        broken = folder / "broken.txt"
        if not broken.exists():
            folder.mkdir(exist_ok=True)
            found = []
            for position, file in enumerate(files):
                target = folder / f"{position:05d}.parquet"
                found += self._parse(kind, file, target, where, engine)
            broken.write_text("\n".join(found))
        return sorted(str(part) for part in folder.glob("*.parquet")), broken.read_text().splitlines()

    def _parse(self, kind: str, file: str, target: Path, where: str, engine: Engine) -> list[str]:
        """Parse one text file; what could not be split into columns comes back as one description per line."""
        rejects = f"rejects_{uuid.uuid4().hex}"
        rows = self._json_rows(file) if kind == "jsonl" else self._csv_rows(kind, file, rejects)
        engine.query(f"COPY (SELECT * FROM {rows}) TO {literal(str(target))} (FORMAT parquet)")
        if kind == "jsonl":
            return []
        faults = engine.query(f"SELECT DISTINCT line, error_type::VARCHAR FROM {quoted(rejects)} ORDER BY line, 2")
        undecodable = [line for line, fault in faults if "UNICODE" in fault or "ENCODING" in fault]
        if undecodable:
            raise ConnectorError(
                f"{where}: line {undecodable[0]:,} is not {self.encoding}. Set `encoding: latin-1` (or utf-16) on the"
                " connector, or convert the file."
            )
        return [f"line {line} of {Path(file).name}: {fault.replace('_', ' ').lower()}" for line, fault in faults]

    def _json_rows(self, file: str) -> str:
        return (
            f"read_json({literal(file)}, format = 'newline_delimited', sample_size = -1,"
            f" maximum_object_size = {MAX_LINE_BYTES})"
        )

    def _csv_rows(self, kind: str, file: str, rejects: str) -> str:
        shape = f"delim = {literal(self.delimiter)}, quote = '\"', escape = '\"', header = {str(self.header).lower()}"
        if kind == "lines":  # no byte of a text file separates or quotes: the whole line is one value
            shape = "columns = {'line': 'VARCHAR'}, delim = '\x1f', quote = '', escape = '', header = false"
        return (
            f"read_csv({literal(file)}, {shape}, all_varchar = true, encoding = {literal(self.encoding)},"
            f" store_rejects = true, rejects_table = {literal(rejects)}, rejects_scan = {literal(rejects + '_scan')},"
            f" rejects_limit = 0, max_line_size = {MAX_LINE_BYTES}, buffer_size = {MAX_LINE_BYTES * 2})"
        )


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


def _readable(fault: duckdb.Error) -> str:
    """The first lines of DuckDB's message, without the values of rows it may quote."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return " ".join(lines[:1])
