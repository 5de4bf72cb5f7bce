"""How a message of ours moves: one order for all statuses, and only forward.

`RANK` is a total order and `advance` is its maximum, so the outcome of any set of facts does not depend on the order in
which they arrive, nor on how often one arrives. Evidence that WhatsApp has the message (``sent`` and above) beats
``failed``, and ``failed``, which is final, beats ``unknown``. One thing is beside this order: a message that was ``sent`` and that
the phone could not read is ``unknown`` again (`Ours.unreadable`), until somebody has it or says what became of it.
"""

from contracts.views import MessageStatus

RANK: dict[MessageStatus, int] = {
    status: rank
    for rank, status in enumerate(
        (
            MessageStatus.QUEUED,
            MessageStatus.SENDING,
            MessageStatus.UNKNOWN,
            MessageStatus.FAILED,
            MessageStatus.SENT,
            MessageStatus.DELIVERED,
            MessageStatus.READ,
            MessageStatus.PLAYED,
        )
    )
}

#: It has not been handed to WhatsApp yet.
WAITING = frozenset({MessageStatus.QUEUED, MessageStatus.SENDING})


def advance(present: MessageStatus, news: MessageStatus) -> MessageStatus:
    """Give the status after *news*: the further of both. A customer's message stays ``received``."""
    if present is MessageStatus.RECEIVED:
        return present
    return news if RANK[news] > RANK[present] else present
