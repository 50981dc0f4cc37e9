"""What operators ask: which models there are, whether all is well, figures, and the API itself."""

from feilun.gateway.http import Request
from feilun.gateway.openapi import document
from feilun.gateway.parts import Parts
from feilun.gateway.servers import EmbeddedServer
from feilun.records import Json, Key


async def models(parts: Parts, request: Request, key: Key | None) -> None:  # noqa: ARG001
    """GET /v1/models: models, aliases and tasks, in OpenAI's shape."""
    await parts.servers.refresh(parts.pool)
    names = [*parts.servers.names(), *(f"task/{name}" for name in parts.desk.names())]
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "feilun"} for name in names]
    await request.json(200, {"object": "list", "data": data})


async def health(parts: Parts, request: Request, key: Key | None) -> None:  # noqa: ARG001
    """GET /healthz: 200 while calls can be answered and kept, else 503."""
    capture = parts.capture
    engines: dict[str, Json] = {
        each.name: each.state if isinstance(each, EmbeddedServer) else each.health()
        for each in parts.servers.all
    }
    status = "draining" if parts.draining else "degraded" if capture.away else "ok"
    told: dict[str, Json] = {
        "status": status,
        "store": capture.away.why if capture.away else "ok",
        "calls": vars(capture.counts),
        "engines": engines,
        "config": "broken: the engines stay as they were, and the log says why"
        if parts.broken_file
        else "ok",
    }
    await request.json(200 if status == "ok" else 503, told)


async def metrics(parts: Parts, request: Request, key: Key | None) -> None:  # noqa: ARG001
    """GET /metrics: Prometheus' text format."""
    counts, pool = parts.capture.counts, parts.pool
    text = parts.metrics.text(
        {
            "feilun_capture_kept_total": counts.kept,
            "feilun_capture_lost_total": counts.lost,
            "feilun_capture_at_risk": counts.at_risk,
            "feilun_capture_away": float(parts.capture.away is not None),
            "feilun_config_broken": float(parts.broken_file),
            "feilun_upstream_opened_total": pool.opened,
            "feilun_upstream_reused_total": pool.reused,
            "feilun_upstream_open": pool.open,
            "feilun_engine_up": {
                (("engine", each.name),): float(each.health() == "closed")
                for each in parts.servers.all
            },
        }
    )
    kind = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
    await request.answer(200, text.encode(), [kind])


async def openapi(parts: Parts, request: Request, key: Key | None) -> None:  # noqa: ARG001
    """GET /openapi.json."""
    await request.json(200, document())
