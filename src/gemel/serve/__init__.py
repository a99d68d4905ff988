"""Over HTTP: an API and a page. Needs no PyTorch.

app.py       the parts put together: routes, what surrounds them, start and end; running.py, a server of it
settings.py  what a server allows
service.py   a gallery behind a queue: what the routes ask
batching.py  requests that arrive together are embedded together, and no more is accepted than can be
asking.py, people.py, about.py   the routes: compare and look for; enrol and forget; what the server is
bodies.py, incoming.py   from a request to values, and from values to items, within limits
shown.py     from values to JSON; previews.py, from kept items to what a browser can show
schemas.py, answers.py, describing.py   requests, answers and routes as OpenAPI has them
problems.py  errors as problem+json
keys.py, door.py   who may do what; the key of a request, and how often it may ask
guarding.py  what every request passes: its host, origin and size; what every answer carries
heads.py     no head of a request without an end
metrics.py   counters for Prometheus
audit.py     who enrolled and deleted what
page/        what a browser shows
"""

from __future__ import annotations

from gemel.serve.settings import Limits, Settings

__all__ = ["Limits", "Settings"]
