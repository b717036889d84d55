"""Where pages find their templates and stylesheet, and the headers under which a browser shows them and nothing else."""

from collections.abc import Iterable, Mapping

from flask import Blueprint

pages = Blueprint(
    "pages", __name__, template_folder="../templates", static_folder="../static", static_url_path="/static"
)


def page_headers(frame_ancestors: Iterable[str] = ()) -> Mapping[str, str]:
    """The headers of a page about a patient: kept nowhere, framed by the given origins alone, loading only our own files."""
    ancestors = " ".join(frame_ancestors) or "'none'"
    policy = {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": ancestors,
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
