"""Who is asking: the role of whoever uses the deployment, by a signed token or by the users that c360.yaml names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from governance.errors import C360Error

TOKEN_VARIABLE = "C360_TOKEN"
ALGORITHM = "HS256"


class AccessError(C360Error):
    """A token that cannot be used."""


def _with_role(written: Any) -> Any:
    return {"role": written} if isinstance(written, str) else written


class Grant(BaseModel):
    """A role, and for a producer the teams whose tables are its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    teams: tuple[str, ...] = ()


AnyGrant = Annotated[Grant, BeforeValidator(_with_role)]


class AccessSettings(BaseModel):
    """The part `access` of c360.yaml: roles by users of the operating system, and that of `anyone` else.

    A machine of one person says so by `anyone: data_steward`. Without it whoever is not named has the default role.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    anyone: AnyGrant | None = None
    users: dict[str, AnyGrant] = {}


@dataclass(frozen=True)
class Identity:
    """Somebody, with the role in force, and what says so."""

    subject: str
    grant: Grant
    basis: str


def whoever(settings: AccessSettings, default_role: str, key: bytes, environment: Mapping[str, str]) -> Identity:
    """Who is asking: the bearer of the token in $C360_TOKEN, else the user of the operating system.

    `key` is that of tokens. AccessError where there is a token that is not ours, was altered, or has expired: whoever
    shows a token means it, so that nothing else is tried.
    """
    if token := environment.get(TOKEN_VARIABLE):
        return read(token, key)
    user = user_of_this_process()
    if grant := settings.users.get(user):
        return Identity(user, grant, f"access.users.{user}")
    if settings.anyone:
        return Identity(user, settings.anyone, "access.anyone")
    return Identity(user, Grant(role=default_role), "the default of the policy")


def user_of_this_process() -> str:
    """The user that the operating system says this process is of, whatever its environment says."""
    try:
        import pwd
    except ImportError:  # Windows has no such list
        return os.getlogin()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def token(subject: str, grant: Grant, until: datetime, key: bytes) -> str:
    """A token that says who somebody is until a moment (UTC): a JSON Web Token (RFC 7519), signed by HMAC-SHA256."""
    from joserfc import jwt
    from joserfc.jwk import OctKey

    claims = {"sub": subject, "role": grant.role, "teams": [*grant.teams], "exp": int(until.timestamp())}
    return jwt.encode({"alg": ALGORITHM}, claims, OctKey.import_key(key))


def read(token: str, key: bytes) -> Identity:
    """Who a token says somebody is. AccessError where it is not ours, was altered, or has expired."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import OctKey

    try:
        claims = jwt.decode(token, OctKey.import_key(key), algorithms=[ALGORITHM]).claims
        jwt.JWTClaimsRegistry(sub={"essential": True}, role={"essential": True}, exp={"essential": True}).validate(
            claims
        )
        return Identity(claims["sub"], Grant(role=claims["role"], teams=claims.get("teams", ())), TOKEN_VARIABLE)
    except (JoseError, ValueError) as fault:
        why = "has expired" if type(fault).__name__ == "ExpiredTokenError" else "is none of this deployment"
        raise AccessError(
            f"The token in {TOKEN_VARIABLE} {why}. Ask a data steward for another (`c360 grant`), or unset it."
        ) from None
