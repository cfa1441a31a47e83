"""A database that was put back from a backup uses no number again that somebody may know already."""

from cases.deliveries import Receiver
from cases.desk import Desk
from cases.store.restoration import note_restoration


def test_new_cases_changes_and_messages_get_numbers_that_were_never_used(story, rules):
    story.desk = Desk(story.site, rules, receivers=[Receiver("city")])
    story.raised("s1")
    with story.store.reading() as books:
        before, told = books.last_change(), {row.id for row in books.deliveries()}
    note_restoration(story.store, ["case-20261123"])
    note_restoration(story.store, ["case-20261123"])
    story.raised("s3")
    with story.store.reading() as books:
        cases = sorted(case.id for case in books.cases().items)
        assert cases == ["BH-20261123-0001", "BH-20261123-2002"]
        assert books.last_change() > before + 100_000_000
        new = {row.id for row in books.deliveries()} - told
    assert new
    assert all(one.endswith("~2") for one in new)
