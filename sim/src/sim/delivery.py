"""Stanzas for sessions: kept in order until each is acknowledged, sent again to a session that comes back without having done so."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass

from sim.codec import Codec
from sim.database import Database
from sim.directory import Companion, Directory, Queued
from sim.nodes import BadStanza, Node
from sim.tokens import Tokens


@dataclass(slots=True)
class Counts:
    """Totals since the process began."""

    messages_in: int = 0
    messages_out: int = 0
    redelivered: int = 0
    retries_asked: int = 0
    retries_answered: int = 0
    undecryptable: int = 0


class Delivery:
    """The queue of every session.  What is put is stored before it is sent; the wire is never ahead of the file."""

    def __init__(self, db: Database, counts: Counts) -> None:
        self._db = db
        self._counts = counts
        self._codec = Codec(Tokens())  # without tokens: a stored stanza outlives the library's version
        self._seq = 0
        self._by_id: defaultdict[tuple[Companion, str, str], list[int]] = defaultdict(list)
        self._asked_again: set[tuple[Companion, str]] = set()

    def load(self, directory: Directory) -> None:
        """What was not acknowledged when the last process ended waits again."""
        for seq, number, device, cls, id, data in self._db.read("select seq, number, device, class, id, node from queue order by seq"):
            self._seq = seq
            companion = directory.phones[number].companions[device]
            try:
                node = self._codec.decode(data)
            except BadStanza:
                continue
            self._remember(companion, Queued(seq, cls, id, node))

    def put(self, companion: Companion, node: Node) -> None:
        """*node* (a message, receipt or notification with an id) will reach the session, now or when it comes back."""
        self._seq += 1
        queued = Queued(self._seq, node.tag, node.text("id"), node)
        self._remember(companion, queued)
        self._db.write(
            "insert into queue values (?, ?, ?, ?, ?, ?)",
            *(queued.seq, companion.phone.number, companion.device, queued.cls, queued.id, self._codec.encode(node)),
        )
        if companion.active and not companion.held:
            self._db.then(lambda: self._send(companion, queued))

    def pass_on(self, companion: Companion, node: Node) -> None:
        """*node* (typing, presence) reaches the session if it is there now, else nobody."""
        if companion.active and companion.connection:
            companion.connection.send(node)

    def acknowledge(self, companion: Companion, cls: str, id: str) -> bool:
        """The oldest stanza of that class and id is done with.  False when none waits."""
        waiting = self._by_id.get((companion, cls, id))
        if not waiting:
            return False
        seq = waiting.pop(0)
        if not waiting:
            del self._by_id[companion, cls, id]
        companion.queue.pop(seq, None)
        self._db.write("delete from queue where seq=?", seq)
        return True

    def asked_again(self, companion: Companion, id: str) -> None:
        """The session could not open that message and has asked for it: this stanza is done with, another one will come.

        whatsmeow sends the retry receipt and an acknowledgement of the same stanza, in either order.  The second of the two must not be
        taken for an acknowledgement of the message that was encrypted again in between, or a session that dies then has lost it.
        """
        if self.acknowledge(companion, "message", id):
            self._asked_again.add((companion, id))

    def acknowledged(self, companion: Companion, cls: str, id: str) -> None:
        """The session has sent an acknowledgement of that class and id."""
        if cls == "message" and (companion, id) in self._asked_again:
            self._asked_again.discard((companion, id))
        else:
            self.acknowledge(companion, cls, id)

    def left(self, companion: Companion) -> None:
        """The session's socket is gone, and what it was still to say with it."""
        companion.connection, companion.active = None, False
        self._asked_again = {(other, id) for other, id in self._asked_again if other is not companion}

    def activate(self, companion: Companion) -> None:
        """The session is ready: all that waits is sent, in order, what it did not acknowledge last time among it."""
        companion.active = True
        if not companion.held:
            for queued in list(companion.queue.values()):
                self._send(companion, queued)

    def hold(self, companion: Companion) -> None:
        """Nothing new is sent to the session until it is released."""
        companion.held = True

    def release(self, companion: Companion, *, shuffled: bool) -> int:
        """What was held is sent, in order or *shuffled*; how many that were."""
        companion.held = False
        waiting = [q for q in companion.queue.values() if q.sent_on is None]
        if shuffled:
            random.shuffle(waiting)
        if companion.active:
            for queued in waiting:
                self._send(companion, queued)
        return len(waiting)

    def forget(self, companion: Companion) -> None:
        """Nothing waits any more for a session that was unlinked."""
        for queued in companion.queue.values():
            self._by_id.pop((companion, queued.cls, queued.id), None)
        companion.queue.clear()

    def _remember(self, companion: Companion, queued: Queued) -> None:
        companion.queue[queued.seq] = queued
        self._by_id[companion, queued.cls, queued.id].append(queued.seq)

    def _send(self, companion: Companion, queued: Queued) -> None:
        connection = companion.connection
        if connection is None or queued.sent_on is connection or queued.seq not in companion.queue:
            return
        if queued.cls == "message":
            if queued.sent_on:
                self._counts.redelivered += 1
            else:
                self._counts.messages_out += 1
        queued.sent_on = connection
        connection.send(queued.node)
