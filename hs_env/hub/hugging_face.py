"""The library `huggingface_hub`: import it, name a repository, and explain its errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final, NamedTuple

from hs_env.errors import HsEnvError, missing_extra

PREFIX: Final = "hf:"
"""Start of the name of a run on the hub."""

_NAME: Final = re.compile(r"(?:hf:)?(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?", re.ASCII)


class Address(NamedTuple):
    """A repository of the hub, `owner/name`, and a branch, tag or commit of it; None is the newest commit."""

    repo: str
    revision: str | None

    @classmethod
    def parse(cls, name: str) -> Address:
        """Read `owner/name` or `owner/name@revision`, with or without `hf:` before it.

        Raises:
            HsEnvError: If the name has another form.
        """
        match = _NAME.fullmatch(name)
        if match is None or ".." in name:
            raise HsEnvError(f"A run on the hub is named owner/name or owner/name@revision, got {name!r}.")
        return cls(match["repo"], match["revision"])


def library() -> ModuleType:
    """Return `huggingface_hub`.

    Raises:
        HsEnvError: If it is not installed.
    """
    try:
        import huggingface_hub
        import huggingface_hub.errors  # not an attribute until it is imported
    except ImportError as error:
        raise missing_extra("Runs on the Hugging Face hub", "hub") from error
    return huggingface_hub


def endpoint() -> str:
    """Return the address of the hub, which `HF_ENDPOINT` changes."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def client() -> Any:
    """Return the client of the hub at `endpoint`."""
    return library().HfApi(endpoint=endpoint(), library_name="hs-env")


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Replace an error of the library by one that says what to do. Its text never holds the token."""
    errors = library().errors
    try:
        yield
    except HsEnvError:
        raise
    except errors.RevisionNotFoundError as error:
        raise HsEnvError(f"{address.repo} has no revision {address.revision!r} at {endpoint()}.") from error
    except errors.RepositoryNotFoundError as error:
        raise HsEnvError(
            f"There is no repository {address.repo!r} at {endpoint()}, or your token may not use it. Check the name; "
            "for a private repository, log in: hf auth login."
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise HsEnvError(
                f"The hub at {endpoint()} refuses access to {address.repo} ({status}). Log in with a token that may "
                "write there: hf auth login."
            ) from error
        raise HsEnvError(f"The hub at {endpoint()} answers with status {status}. Try again later.") from error
    except errors.HFValidationError as error:
        raise HsEnvError(f"{address.repo!r} is not the name of a repository: {error}") from error
    except (
        errors.LocalEntryNotFoundError,
        *errors.HfHubHTTPError.__bases__,
    ) as error:  # of the HTTP library, and OSError
        if isinstance(error, OSError) and error.errno is not None:  # a file of this machine
            raise
        raise HsEnvError(
            f"The hub at {endpoint()} cannot be reached ({type(error).__name__}). Check the network and HF_ENDPOINT."
        ) from error
    except (KeyError, ValueError, AssertionError) as error:
        raise HsEnvError(f"What answers at {endpoint()} is no Hugging Face hub: {error}. Check HF_ENDPOINT.") from error
