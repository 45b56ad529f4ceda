"""What the bearer of a token may do."""

from enum import StrEnum


class Scope(StrEnum):
    """What a token's bearer may do; each scope holds those before it."""

    READ = "read"
    """Look at everything."""
    LAUNCH = "launch"
    """Also launch, cancel, resume and clone runs."""
    ADMIN = "admin"
    """Also delete runs, and make and revoke tokens."""

    def holds(self, needed: "Scope") -> bool:
        """Tell whether this scope allows what needs `needed`."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)
