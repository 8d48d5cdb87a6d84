"""The jobs of redemptions."""

from guerdon.kit.jobs import JobHandler
from guerdon.loyalty.jobs import together
from guerdon.loyalty.purchases import BOUGHT
from guerdon.redemptions.bought import show_all

JOBS: dict[str, JobHandler] = {BOUGHT: together(show_all, 0)}
