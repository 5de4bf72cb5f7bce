"""What is told when somebody is erased."""

from contracts import ids
from contracts.commands import ErasePerson
from contracts.envelope import Body
from contracts.events import conversations, privacy
from contracts.examples.things import ACTOR, AT, CHAT_ID, CONTACT_ID, CUSTOMER, ERASURE, LEAD, LID

BODIES: tuple[Body, ...] = (
    conversations.ContactErased(id=CONTACT_ID, erasure_id=ids.public(ids.ERASURE, ERASURE), at=AT, chat_ids=(CHAT_ID,), actor=ACTOR),
    ErasePerson(erasure=ERASURE, addresses=(CUSTOMER, LID)),
    privacy.AuthErased(erasure=ERASURE),
    privacy.DevicesErased(erasure=ERASURE, removed=3),
    privacy.PipelineErased(erasure=ERASURE, removed=1, names=(ids.public(ids.LEAD, LEAD),)),
    privacy.BotErased(erasure=ERASURE, removed=1),
    privacy.WebhooksErased(erasure=ERASURE, removed=7),
)
