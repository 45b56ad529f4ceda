"""Static files: read once, and served under a name that holds their hash, so that browsers may keep them for ever."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.core.domain.errors import NotFound

FOLDER: Final = Path(__file__).parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_HASH_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    url: str
    media_type: str
    content: bytes
    packed: bytes
    """Gzipped."""


@cache
def assets() -> Mapping[str, Asset]:
    """Return every static file by its path below the folder."""
    names = (path.relative_to(FOLDER).as_posix() for path in sorted(FOLDER.rglob("*")) if path.is_file())
    return {name: _read(name) for name in names}


def asset_url(name: str) -> str:
    """Return where a static file is served."""
    return assets()[name].url


def _read(name: str) -> Asset:
    content = (FOLDER / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
    media_type = mimetypes.guess_type(name)[0] or "text/plain"
    return Asset(f"/static/{digest}/{name}", media_type, content, gzip.compress(content, mtime=0))


router = APIRouter(include_in_schema=False)


@router.get("/static/{digest}/{name:path}")
def get_asset(request: Request, digest: str, name: str) -> Response:
    """Return a static file under its current name."""
    asset = assets().get(name)
    if asset is None or asset.url != f"/static/{digest}/{name}":
        raise NotFound(f"there is no file {name!r} of this version; load the page again")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.content, headers=headers, media_type=asset.media_type)
    headers["Content-Encoding"] = "gzip"
    return Response(asset.packed, headers=headers, media_type=asset.media_type)
