"""Ids as pydantic types for HTTP bodies, paths and queries: text outside, UUID inside."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from contracts import ids
from contracts.ids import ChatId, ContactId, DeviceId, LeadId, MessageId, PipelineId, StageId, TenantId, UserId


def _edge(prefix: str) -> tuple[Any, ...]:
    def read(value: object) -> UUID:
        if isinstance(value, UUID):
            return value
        if not isinstance(value, str):
            raise ValueError("An id is a text.")
        return ids.parse(prefix, value)

    def write(value: UUID) -> str:
        return ids.public(prefix, value)

    schema = WithJsonSchema(
        {"type": "string", "pattern": f"^{prefix}_[0-9A-HJKMNP-TV-Z]{{26}}$", "example": f"{prefix}_01JD3V6Q5J8R2Y0T4W7X9Z1B3C"}
    )
    return BeforeValidator(read), PlainSerializer(write, return_type=str), schema


PublicAccountId = Annotated[TenantId, *_edge(ids.ACCOUNT)]
PublicUserId = Annotated[UserId, *_edge(ids.USER)]
PublicTeamId = Annotated[UUID, *_edge(ids.TEAM)]
PublicInvitationId = Annotated[UUID, *_edge(ids.INVITATION)]
PublicKeyId = Annotated[UUID, *_edge(ids.KEY)]
PublicDeviceId = Annotated[DeviceId, *_edge(ids.DEVICE)]
PublicContactId = Annotated[ContactId, *_edge(ids.CONTACT)]
PublicChatId = Annotated[ChatId, *_edge(ids.CHAT)]
PublicMessageId = Annotated[MessageId, *_edge(ids.MESSAGE)]
PublicMediaId = Annotated[UUID, *_edge(ids.MEDIA)]
PublicContactStateId = Annotated[UUID, *_edge(ids.CONTACT_STATE)]
PublicContactNoteId = Annotated[UUID, *_edge(ids.CONTACT_NOTE)]
PublicImportId = Annotated[UUID, *_edge(ids.IMPORT)]
PublicTagId = Annotated[UUID, *_edge(ids.TAG)]
PublicReplyId = Annotated[UUID, *_edge(ids.REPLY)]
PublicScheduledId = Annotated[UUID, *_edge(ids.SCHEDULED)]
PublicHoursId = Annotated[UUID, *_edge(ids.HOURS)]
PublicPipelineId = Annotated[PipelineId, *_edge(ids.PIPELINE)]
PublicStageId = Annotated[StageId, *_edge(ids.STAGE)]
PublicLeadId = Annotated[LeadId, *_edge(ids.LEAD)]
PublicTaskId = Annotated[UUID, *_edge(ids.TASK)]
PublicNoteId = Annotated[UUID, *_edge(ids.NOTE)]
PublicRuleId = Annotated[UUID, *_edge(ids.RULE)]
PublicWebhookId = Annotated[UUID, *_edge(ids.WEBHOOK)]
PublicEventId = Annotated[UUID, *_edge(ids.EVENT)]
PublicDeliveryId = Annotated[UUID, *_edge(ids.DELIVERY)]
PublicAttemptId = Annotated[UUID, *_edge(ids.ATTEMPT)]
PublicReplayId = Annotated[UUID, *_edge(ids.REPLAY)]
PublicErasureId = Annotated[UUID, *_edge(ids.ERASURE)]
PublicExportId = Annotated[UUID, *_edge(ids.EXPORT)]
