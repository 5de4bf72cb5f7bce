"""A whole installation in one folder, and an installation out of it.

What is taken, and why in this order:

1. How far each durable of the stream of events has come, and every order that still waits. From now until the end what is
   ordered is heard as well.
2. Both databases, each as of one moment: everything that is kept, and whatsmeow's sessions, so that no number is linked again.
3. The files of messages: named by their content, they never change, and those that the databases name are there by now.
4. The events that some service had not taken before step 1. What one took in between comes again after the restore, and is
   recognised by its id, as after a crash; so nothing is lost between the databases and the bus, and nothing counts twice.
5. Dead letters, and those buckets of the bus that nobody would write anew.

The key that encrypts what is kept is not in it, unless it is asked for: a copy of the one without the other is of no use.
"""

from clarin.backup.databases import DumpFailed
from clarin.backup.making import back_up
from clarin.backup.manifest import Manifest, NotRestorable
from clarin.backup.places import Places
from clarin.backup.restoring import restore, restore_elsewhere

__all__ = ["DumpFailed", "Manifest", "NotRestorable", "Places", "back_up", "restore", "restore_elsewhere"]
