"""A tag is deleted: its leads bear it no longer, and whoever sees one hears so."""

from contracts import ids
from contracts.envelope import wrap
from contracts.events.conversations import TagChanged
from contracts.events.pipeline import LeadChanged
from pipeline.consumers import facts
from pipeline.store import leads

from .facts import public


async def test_a_tag_that_is_deleted_is_taken_from_every_lead_and_each_is_told_once(owner, world, tenant):
    tag, other = ids.new(), ids.new()
    first = await owner.lead("Mesas", tags=[public(ids.TAG, tag), public(ids.TAG, other)])
    free = await owner.lead("Sillas", tags=[public(ids.TAG, other)])
    many = 2 * facts.UNTAGGED_AT_ONCE
    given = {"id": "gen_random_uuid()", "rank": "l.rank || '1' || lpad(n::text, 6, '0') || '1'"}
    columns = ", ".join(given.get(name, f"l.{name}") for name in leads.NAMES)
    await world.admin.execute(
        f"insert into leads ({', '.join(leads.NAMES)}) select {columns} from leads l, generate_series(1, $2) n where l.title = $1",  # noqa: S608
        "Mesas",
        many,
    )
    await world.forget_told()
    gone = wrap(tenant, TagChanged(id=public(ids.TAG, tag), name="VIP", color="#aabbcc", deleted=True))
    await world.handle([gone])
    await world.handle([gone])
    told = [one.data for one in await world.told(LeadChanged)]
    assert len({one.id for one in told}) == len(told) == many + 1
    assert {(one.changed, one.tags) for one in told} == {(("tags",), (public(ids.TAG, other),))}
    assert free["id"] not in {one.id for one in told}
    assert (await owner.get(f"/api/leads/{first['id']}"))["version"] == first["version"] + 1
    assert await world.rows("select id from leads where tags @> array[$1::uuid]", tag) == []
