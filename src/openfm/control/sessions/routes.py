"""`/ui/session`: where the pages sign in and out, and the one place where a cookie counts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from openfm.control.sessions.service import COOKIE_LIFETIME_S, Session, Sessions
from openfm.core.errors import PermissionDenied
from openfm.wire.bearer import bearer_token

COOKIE = "openfm_session"
_OWN_PAGES = ("same-origin", "none")
router = APIRouter(prefix="/ui/session")


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _from_own_pages(request: Request) -> None:
    """Refuse what another site's page sends; programs, which send no such header, may."""
    if request.headers.get("sec-fetch-site", "none") not in _OWN_PAGES:
        raise PermissionDenied("Only this server's own pages may ask for a session. Open them and sign in there.")


AtSessions = Annotated[Sessions, Depends(_sessions)]
_GUARD = [Depends(_from_own_pages)]


@router.post("", dependencies=_GUARD)
async def sign_in(request: Request, response: Response, sessions: AtSessions) -> dict[str, Any]:
    """Sign in with an access token, sent as any other request sends it."""
    return _answered(sessions.sign_in(bearer_token(request.scope["headers"])), request, response)


@router.get("", dependencies=_GUARD)
async def renew(request: Request, response: Response, sessions: AtSessions) -> dict[str, Any]:
    """A bearer for a while, for a browser that signed in; `signed_in` is false for any other.

    Not an error: every browser logs those, and nothing is wrong with somebody who has yet to sign in.
    """
    session = sessions.renewed(request.cookies.get(COOKIE, ""))
    if session is None:
        response.headers["cache-control"] = "no-store"
        return {"signed_in": False}
    return _answered(session, request, response)


@router.delete("", dependencies=_GUARD)
async def sign_out(request: Request, response: Response, sessions: AtSessions) -> dict[str, Any]:
    """Sign out: the cookie goes, and the bearer that is sent along ends."""
    if "authorization" in request.headers:
        sessions.end(bearer_token(request.scope["headers"]))
    response.headers["cache-control"] = "no-store"
    response.set_cookie(COOKIE, "", max_age=0, path=None, httponly=True, samesite="strict", secure=_is_secure(request))
    return {"signed_in": False}


def _answered(session: Session, request: Request, response: Response) -> dict[str, Any]:
    response.headers["cache-control"] = "no-store"
    # Without a path it is sent below the pages' own folder alone, under whatever path a proxy put the server.
    response.set_cookie(
        COOKIE,
        session.cookie,
        max_age=COOKIE_LIFETIME_S,
        path=None,
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )
    owner = session.principal
    return {
        "signed_in": True,
        "bearer": session.bearer,
        "expires_in_s": session.lifetime_s,
        "user": {"id": owner.id, "name": owner.name, "is_admin": owner.is_admin, "groups": sorted(owner.groups)},
    }


def _is_secure(request: Request) -> bool:
    public_url: str | None = request.app.state.public_url
    return request.url.scheme == "https" or (public_url or "").startswith("https:")
