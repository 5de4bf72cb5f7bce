"""A gateway as it is often written, with FastAPI and httpx, to compare ours with; it checks and limits nothing."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response

_HOP = frozenset({"host", "connection", "keep-alive", "transfer-encoding", "content-length"})


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    async with httpx.AsyncClient(base_url=os.environ["BENCH_UPSTREAM"], limits=limits, timeout=30) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=_client)


@app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def forward(path: str, request: Request) -> Response:
    """Pass a request on and its answer back."""
    client: httpx.AsyncClient = request.app.state.client
    answer = await client.request(
        request.method,
        f"/{path}",
        params=request.query_params,
        headers=[(name, value) for name, value in request.headers.items() if name not in _HOP],
        content=await request.body(),
    )
    return Response(answer.content, answer.status_code, {name: value for name, value in answer.headers.items() if name not in _HOP})
