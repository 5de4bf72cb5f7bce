"""What auth tells."""

from contracts.envelope import Body
from contracts.events import auth
from contracts.examples.things import ACTOR, AT, INVITATION, KEY, SESSION, TEAM, USER
from contracts.principal import Role, Scope

BODIES: tuple[Body, ...] = (
    auth.AccountRegistered(name="Café Luna", locale="es", time_zone="America/Mexico_City", currency="MXN"),
    auth.AccountChanged(
        name="Café Luna",
        locale="es",
        time_zone="America/Mexico_City",
        currency="MXN",
        limits=auth.Limits(devices=3, agents=10, messages_per_day=5_000),
        suspended=False,
        revision=2,
        actor=ACTOR,
    ),
    auth.UserCreated(user=USER, name="Ana", role=Role.OWNER),
    auth.UserChanged(user=USER, name="Ana", role=Role.ADMIN, active=True, version=2),
    auth.PasswordChanged(user=USER, way="own", address="192.0.2.7", actor=ACTOR),
    auth.SessionOpened(user=USER, session=SESSION, client="cookie", address="192.0.2.7"),
    auth.SessionRefused(user=USER, reason="password", address="192.0.2.7"),
    auth.SessionClosed(user=USER, session=SESSION, reason="reused"),
    auth.KeyCreated(key=KEY, name="Tienda", role=Role.AGENT, scopes=(Scope.READ, Scope.SEND), actor=ACTOR),
    auth.KeyChanged(key=KEY, name="Tienda", role=Role.AGENT, scopes=(Scope.READ,), actor=ACTOR),
    auth.KeyRotated(key=KEY, name="Tienda", overlap_until=AT, actor=ACTOR),
    auth.KeyRevoked(key=KEY, name="Tienda", actor=ACTOR),
    auth.TeamCreated(team=TEAM, name="Ventas", members=(USER,), actor=ACTOR),
    auth.TeamChanged(team=TEAM, name="Ventas", members=(USER,), actor=ACTOR),
    auth.TeamDeleted(team=TEAM, name="Ventas", actor=ACTOR),
    auth.InvitationCreated(invitation=INVITATION, role=Role.AGENT, actor=ACTOR),
    auth.InvitationRevoked(invitation=INVITATION, actor=ACTOR),
    auth.DeadLettersReplayed(durable="conversations-whatsapp", count=12, actor=ACTOR),
    auth.DeadLettersDropped(durable="conversations-whatsapp", count=1, letter=41, actor=ACTOR),
)
