"""A reader: somebody in a role, by whom every exit takes its rows, so that all of them show the same."""

import os
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from governance.errors import nearest
from governance.keys import derived
from governance.policy import ANALYSIS, Forbidden, Outcome, Policy, Right, View
from resources.access import TOKEN_VARIABLE, Grant, Identity, token, whoever
from resources.deployment import Deployment

if TYPE_CHECKING:
    import ibis.expr.types as ir

TOKENS = "tokens"
# What each right is, for people.
WORDS: dict[Right, str] = {
    "grant": "sign tokens for others",
    "audit": "see who read what",
    "erase": "answer for the rights of customers",
}


@dataclass(frozen=True)
class Reader:
    """Somebody who reads, for a purpose. One who looks through the eyes of another role is `behind` its own."""

    deployment: Deployment
    identity: Identity
    purpose: str = ANALYSIS
    behind: "Reader | None" = None

    @property
    def role(self) -> str:
        """The role in force."""
        return self.identity.grant.role

    @cached_property
    def policy(self) -> Policy:
        """The policy as it is now."""
        return self.deployment.policy()

    def seen_as(self, role: str) -> "Reader":
        """The same, seeing what another role sees: for tables of which that is no more than its own.

        Forbidden where there is no such role.
        """
        if role not in self.policy.roles:
            raise self._no_role(role)
        grant = self.identity.grant.model_copy(update={"role": role})
        return replace(self, identity=replace(self.identity, grant=grant), behind=self)

    @property
    def files_are_for(self) -> str | None:
        """The purpose of files it writes: that of the role in force, else that of its own."""
        return self.policy.role(self.role).files_are_for or (self.behind.files_are_for if self.behind else None)

    @property
    def files_are_anonymous(self) -> bool:
        """Whether nobody may be told apart in files it writes, by the role in force or its own."""
        return self.policy.role(self.role).files_are_anonymous or bool(self.behind and self.behind.files_are_anonymous)

    def writing_files(self) -> "Reader":
        """The same, when rows leave as a file: for the purpose of such files, where they have one."""
        return replace(self, purpose=self.files_are_for) if self.files_are_for else self

    def must_be_able_to(self, right: Right) -> None:
        """Forbidden where its role has not that right, or its own has not: to see what others see gives no right."""
        if self.behind:
            self.behind.must_be_able_to(right)
        if right not in self.policy.role(self.role).may:
            able = [name for name, role in self.policy.roles.items() if right in role.may]
            raise Forbidden(f"Role {self.role} may not {WORDS[right]}. Those who may: {', '.join(able) or 'none'}.")

    def must_see_in_clear(self, key: str) -> None:
        """Forbidden where it does not see every column of a table as it is, or may not read it."""
        hidden = [column.name for column, outcome in self.view(key).classified() if outcome is not Outcome.CLEAR]
        if hidden:
            raise Forbidden(
                f"{key} would be written as it is, and role {self.role} may not see {', '.join(hidden)} in clear."
                f" `c360 policy --explain {key}.{hidden[0]}` shows who may."
            )

    def grant(self, subject: str, grant: Grant, until: datetime) -> str:
        """A token by which somebody has a role until a moment (UTC). Forbidden where there is no such role."""
        self.must_be_able_to("grant")
        if grant.role not in self.policy.roles:
            raise self._no_role(grant.role)
        return token(subject, grant, until, derived(self.deployment.secret, TOKENS))

    def _no_role(self, role: str) -> Forbidden:
        known = self.policy.roles
        return Forbidden(f"There is no role '{role}'{nearest(role, known)}. The policy has: {', '.join(known)}.")

    def view(self, key: str) -> View:
        """What it sees of a table. Forbidden where that is nothing, or more than its own role sees.

        KeyError where there is no such table.
        """
        contract = self.deployment.contracts[key]
        view = self.policy.view(contract, self.role, self.identity.grant.teams, self.purpose)
        if self.behind and not view.tells_no_more_than(replace(self.behind, purpose=self.purpose).view(key)):
            raise Forbidden(f"Role {self.role} sees more of {key} than {self.behind.role}, in which you are.")
        return view

    def rows(self, key: str) -> "ir.Table":
        """The published rows of a table that it sees, masked, as an expression. Errors as of `view`."""
        return self.masked(self.deployment.read(key), self.view(key))

    def masked(self, rows: "ir.Table", view: View) -> "ir.Table":
        """What a view shows of rows of its table, wherever they are from."""
        from resources.masking import masked

        deployment = self.deployment
        hashed = deployment.engine.keyed_hash(derived(deployment.secret, self.policy.pseudonyms))
        return masked(self.seen(rows, view), view, self.policy.ranges, hashed)

    def seen(self, rows: "ir.Table", view: View) -> "ir.Table":
        """The rows that a view shows, unmasked."""
        from resources.masking import restricted

        return restricted(rows, view, self.deployment.contracts, self.deployment.read)


def this_user(deployment: Deployment) -> Reader:
    """Whoever uses this process. AccessError where a token is shown that cannot be used."""
    policy = deployment.policy()
    # Without a token no secret is needed, and none is made.
    key = derived(deployment.secret, TOKENS) if os.environ.get(TOKEN_VARIABLE) else b""
    return Reader(deployment, whoever(deployment.settings.access, policy.default_role, key, os.environ))
