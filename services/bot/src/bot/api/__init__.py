"""The public routes under ``/api/bot``."""

from bot.api import chats, figures, settings, simulate

ROUTERS = (settings.router, simulate.router, figures.router, chats.router)
