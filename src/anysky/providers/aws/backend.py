"""What the backends of all services of AWS share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anysky.backend.base import Backend
from anysky.errors import RateLimitedError
from anysky.providers.aws.api import ERRORS
from anysky.providers.aws.signing import AWSSigner

if TYPE_CHECKING:
    from anysky.transport.base import Response

__all__ = ["AWSBackend"]

_THROTTLED = re.compile(
    rb"<Code>(?:EC2ThrottledException|%s)</Code>"
    % b"|".join(code.encode() for code, kind in ERRORS.items() if kind is RateLimitedError)
)
_THROTTLING_STATUSES = frozenset({400, 503})
_HEAD = 2048


class AWSBackend(Backend):
    """What is the same for every service."""

    # New things are listed within a second, mostly: https://github.com/skypilot-org/skypilot/pull/4443
    list_lag = 5.0

    @classmethod
    def throttled(cls, response: Response) -> bool:
        """Whether AWS refused a request for want of time: it says so by code, not by status.

        https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
        """
        if super().throttled(response):
            return True
        head = response.body[:_HEAD]
        return response.status in _THROTTLING_STATUSES and bool(_THROTTLED.search(head))

    def secrets(self) -> list[str]:
        """Return the keys of the account and those that were fetched for it."""
        signer = self.connection.signer
        return [*super().secrets(), *(signer.secrets() if isinstance(signer, AWSSigner) else ())]
