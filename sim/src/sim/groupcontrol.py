"""The part of the control API that is about groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from sim.directory import Phone
from sim.groups import Group
from sim.nodes import GROUP
from sim.orders import NewGroup, Rename
from sim.problems import Problem

if TYPE_CHECKING:
    from sim.control import Control


def group_of(control: Control, id: str) -> Group:
    """The group with this id, which may end like an address.  Raises: Problem."""
    found = control.traffic.groups.all.get(id.removesuffix(f"@{GROUP}"))
    if found is None:
        raise Problem(404, "no-group", "There is no group with this id.")
    return found


def within(control: Control, phone: Phone, to: str) -> Phone | Group:
    """Whom the phone writes to: a number, or a group (``<id>@g.us``) that it is in.  Raises: Problem, NotANumber."""
    if not to.endswith(f"@{GROUP}"):
        return control.recipient(to)
    group = group_of(control, to)
    if phone.number not in group.members:
        raise Problem(409, "not-a-member", "This phone is not in the group.")
    return group


class GroupControl:
    """The handlers."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.groups = control.traffic.groups

    def add_to(self, route: web.UrlDispatcher) -> None:
        """Every route."""
        route.add_post("/groups", self.create)
        route.add_get("/groups", self.list)
        route.add_patch("/groups/{id}", self.rename)

    async def create(self, request: web.Request) -> web.Response:
        """POST /groups {subject, members}: a group of these numbers, which the first of them makes."""
        body = msgspec.json.decode(await request.read() or b"{}", type=NewGroup)
        return await self._told(self.groups.create(body.subject, [self.control.recipient(number) for number in body.members]), 201)

    async def list(self, request: web.Request) -> web.Response:
        """GET /groups."""
        return await self.control.reply({"items": [described(group) for group in self.groups.all.values()]})

    async def rename(self, request: web.Request) -> web.Response:
        """PATCH /groups/{id} {subject}."""
        group = group_of(self.control, request.match_info["id"])
        self.groups.rename(group, msgspec.json.decode(await request.read() or b"{}", type=Rename).subject)
        return await self._told(group, 200)

    async def _told(self, group: Group, status: int) -> web.Response:
        return await self.control.reply(described(group), status)


def described(group: Group) -> dict[str, object]:
    """A group as it is told."""
    return {"id": str(group.jid()), "subject": group.subject, "members": group.members}
