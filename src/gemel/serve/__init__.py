"""Over HTTP: an API and a page. Needs no PyTorch.

app.py       the parts put together: routes, what surrounds them, start and end
settings.py  what a server allows
service.py   a gallery behind a queue: what the routes ask
batching.py  requests that arrive together are embedded together, and no more is accepted than can be
asking.py, people.py, about.py   the routes: compare and look for; enrol and forget; what the server is
bodies.py    from a request to items, within limits
shown.py     from values to JSON; previews.py, from kept items to what a browser can show
schemas.py   what requests and answers are made of, for OpenAPI
problems.py  errors as problem+json
keys.py      who may do what
guarding.py  what every request passes: its origin, its key, its rate; what every answer carries
heads.py     no head of a request without an end
metrics.py   counters for Prometheus
audit.py     who enrolled and deleted what
page/        what a browser shows
"""

from __future__ import annotations

from gemel.serve.settings import Limits, Settings

__all__ = ["Limits", "Settings"]
