"""What comes over the API becomes an action, or a sentence about what is wrong with it."""

import pytest

from cases.actions import parse
from cases.case import Actor, Proof, Refused
from cases.states import Act
from registry.categories import EvidenceKind
from registry.grids import Role
from registry.spans import Length

WHO = Actor("c1", Role.SMART_CENTRE)


def test_everything_that_an_action_may_need_is_understood(story):
    action = parse(
        "join",
        WHO,
        story.site.zone,
        on_behalf_of="so",
        reason=" big ",
        note="see photo",
        evidence=[Proof(EvidenceKind.PHOTO, " 2026/a.jpg ", "scene"), Proof(EvidenceKind.NOTE, " ")],
        values={
            "lead": "fire-team",
            "members": "city, parks、police".replace("、", ","),
            "review": "2026-11-30",
            "extend_by": "1d 4h",
            "standard_met": "true",
            "parent": "BH-1",
            "milestone": "arrived",
            "priority": "",
        },
    )
    assert (action.act, action.on_behalf_of, action.reason) == (Act.JOIN, "so", "big")
    assert (action.lead, action.members) == ("fire-team", ("city", "parks", "police"))
    assert action.review == story.at("2026-11-30 09:00")
    assert action.extend_by == Length(1, 4 * 3600.0)
    assert (action.standard_met, action.parent_id, action.milestone) == (True, "BH-1", "arrived")
    assert action.evidence == (Proof(EvidenceKind.PHOTO, "2026/a.jpg", "scene"),)


@pytest.mark.parametrize(
    ("text", "moment"),
    [("2026-11-30T12:30", "2026-11-30 12:30"), ("2026-11-30T04:30:00Z", "2026-11-30 12:30")],
)
def test_a_time_without_zone_is_the_community_s(story, text, moment):
    assert parse("defer", WHO, story.site.zone, values={"review": text}).review == story.at(moment)


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("explode", {}, "no action `explode`"),
        ("note", {"colour": "red"}, "`colour` means nothing"),
        ("defer", {"review": "soon"}, "`soon` is no date"),
        ("extend", {"extend_by": "a while"}, "no length of time"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(story, name, values, sentence):
    with pytest.raises(Refused, match=sentence):
        parse(name, WHO, story.site.zone, values=values)
