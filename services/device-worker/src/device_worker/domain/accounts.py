"""What an account may have here. Pure."""

from typing import Self

from contracts.errors import Conflict, Forbidden


class AccountSuspended(Forbidden):
    """This account is suspended."""

    code = "account-suspended"


class DeviceLimit(Conflict):
    """The account may not have more numbers."""

    code = "device-limit"

    @classmethod
    def of(cls, most: int) -> Self:
        """Say how many there may be."""
        return cls(f"This account may have {most}; delete one, or ask the installation's owner for more.", most=most)
