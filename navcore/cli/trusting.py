"""The options that say whether, and by whose word, a package is trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from navcore.package import SignedBy

Function = TypeVar("Function", bound=Callable[..., Any])
_existing = click.Path(path_type=Path, exists=True, dir_okay=False)

trust_option = click.option(
    "--trust",
    is_flag=True,
    help="Obey the package: allow formats whose loading can execute code, and what it recorded.",
)
_KEYS = (
    click.option("--key", type=_existing, metavar="PEM", help="Trust it if the holder of this public key signed it."),
    click.option(
        "--certificate",
        type=_existing,
        metavar="PEM",
        help="Trust it if a signer that these authorities know signed it.",
    ),
    click.option(
        "--signature", type=_existing, metavar="FILE", help="The signature. Default: beside FILE, with .sig added."
    ),
)


def trust_options(function: Function) -> Function:
    """Decorate a command with ``--trust`` and what names a signer; see :func:`trusted`."""
    for option in reversed((trust_option, *_KEYS)):
        function = option(function)
    return function


def trusted(trust: bool, key: Path | None, certificate: Path | None, signature: Path | None) -> bool | SignedBy:
    """What :func:`navcore.load` takes for those options."""
    from navcore.package import SignedBy

    if key is None and certificate is None:
        if signature is not None:
            raise click.UsageError("--signature needs --key or --certificate, to know who may have signed.")
        return trust
    return SignedBy(key, certificate, signature)
