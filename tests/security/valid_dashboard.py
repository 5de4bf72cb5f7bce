"""A valid request for each operation of the dashboard."""

from .valid import plain

plain("dashboardReadDashboard")
plain("dashboardExportDashboard", query={"table": "agents"})
