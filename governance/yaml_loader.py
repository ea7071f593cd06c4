"""Safe YAML, at the speed of libyaml where the machine has it, and checked against a model."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from governance.errors import C360Error

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

__all__ = ["SafeLoader", "validated"]

Model = TypeVar("Model", bound=BaseModel)


def validated(file: Path, model: type[Model], error: type[C360Error]) -> Model:
    """What `file` holds, as the model. `error` names file and key where it cannot be used."""
    try:
        return model.model_validate(yaml.load(file.read_text(encoding="utf-8"), Loader=SafeLoader))
    except OSError as fault:
        raise error(f"{file.name} cannot be read: {fault.strerror}.") from fault
    except yaml.YAMLError as fault:
        raise error(f"{file.name} is not readable YAML: {' '.join(str(fault).split())}") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        raise error(f"{file.name}, key {'.'.join(map(str, first['loc']))}: {first['msg']}") from fault
