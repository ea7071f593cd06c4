"""Tombstones: keyed hashes of the keys of people who were erased, by which feeds know them and leave them out."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from governance.keys import derived, keyed_hash
from governance.subjects import PERSON, Holding
from resources.deployment import Deployment
from resources.engine import KEYED_HASH, literal, quoted
from resources.lake import ibis_schema

USE = "tombstones"
TABLE = "tombstones"


def subject_hash(deployment: Deployment, name: str) -> str:
    """What stands for the key of a person wherever a deployment has to know it again."""
    return keyed_hash(derived(deployment.secret, USE), name)


class Tombstones:
    """The tombstones of one deployment, in a table of the lake."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.contract = deployment.contracts[TABLE]

    @property
    def are_there(self) -> bool:
        """Whether anybody was ever erased."""
        state = self.deployment.lake.state(TABLE)
        return state is not None and state.rows > 0

    def knows(self, person: str) -> bool:
        """Whether a person was erased."""
        if not self.are_there:
            return False
        asked = literal(subject_hash(self.deployment, person))
        held = f"SELECT 1 FROM ({self._held()}) WHERE kind = {literal(PERSON)} AND subject_hash = {asked}"
        return bool(self.deployment.engine.query(held))

    def add(self, names: Mapping[str, Iterable[str]], moment: datetime) -> None:
        """Set one for each name, listed by kind; those there are keep their moment. All of them are set, or none."""
        deployment, columns = self.deployment, ", ".join(map(quoted, self.contract.column_names))
        hashed = [(kind, subject_hash(deployment, name)) for kind, listed in names.items() for name in listed]
        at = f"TIMESTAMP {literal(moment.isoformat(' '))}"
        new = ", ".join(f"({literal(kind)}, {literal(hash_)}, {at})" for kind, hash_ in hashed)
        rows = f"SELECT * FROM (VALUES {new}) AS new({columns})"
        if deployment.lake.state(TABLE):
            rows = f"({self._held()}) UNION ALL ({rows} ANTI JOIN ({self._held()}) USING (kind, subject_hash))"
        view = deployment.engine.view("kept tombstones", f"SELECT {columns} FROM ({rows})", ibis_schema(self.contract))
        deployment.lake.publish(deployment.lake.write(self.contract, view))

    def named_in(self, holding: Holding, rows: str, names: str) -> bool:
        """Make the engine's table `names` of all who were erased and are named in rows (`FROM ...`); whether any are.

        Each name is hashed once, however many rows bear it.
        """
        deployment = self.deployment
        deployment.engine.keyed_hash(derived(deployment.secret, USE))
        columns = [(PERSON, key) for key in holding.keys] + [(alias, alias) for alias in holding.aliases]
        listed = " UNION ".join(
            f"SELECT {literal(kind)} AS kind, {quoted(column)} AS name {rows} WHERE {quoted(column)} IS NOT NULL"
            for kind, column in columns
        )
        deployment.engine.query(
            f"CREATE OR REPLACE TABLE {quoted(names)} AS SELECT kind, name FROM ({listed})"
            f" SEMI JOIN (SELECT kind AS of_kind, subject_hash FROM ({self._held()}))"
            f" ON kind = of_kind AND {KEYED_HASH}(name) = subject_hash"
        )
        ((count,),) = deployment.engine.query(f"SELECT count(*) FROM {quoted(names)}")
        return bool(count)

    def _held(self) -> str:
        return self.deployment.lake.select(self.contract)
