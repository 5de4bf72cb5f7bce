"""The session host: a process of the worker's own in which the library runs, and that does next to nothing else.

WhatsApp is told that a message has arrived before our callback has it. What lies in between is lost by a ``kill -9``, and
it is as long as the callback waits for the interpreter: milliseconds, in a process that also renews leases, asks the
database, converts and publishes. So whatsmeow lives in a process whose Python only appends to the journal (`__main__`),
and the worker asks it to start, stop and send over a socket (`remote`), in the frames of `frames`.

It outlives nobody. When the worker ends, however it does, the kernel tells the host: it hangs up, keeps what is on its
way, and is gone, mostly within a fraction of a second and always within three. Before a worker fences itself it has its
host do the same, or kills it where there is no time left. When the host dies, the worker starts another and its
sessions anew, and finishes the dead one's journal.
"""
