"""A prediction against a little model of its own: who is served in which stage, and who hears what (protocol 3, 4, 8).

The model knows nothing of channels. What it says is heard before a step and not after it must be what is predicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.broker.addresses import Addresses
from bridge.cutover import predictor as predicted
from bridge.cutover.prediction import MOST_LISTED, Pair, Prediction
from bridge.cutover.predictor import Predictor
from bridge.records.rows import Said, Seen, Speech, Visitor
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from compat.identity import Names

ADDRESSES = Addresses("aether")
NAMES = {"42": "v2-42", "7": "v2-7", "a b": "v2-a_20b", "dev_1": "dev_1", "ann": "ann", "team": "team"}
"""V2 ids, of clients and of groups, with their names in V3 where no id map replaces them."""
MAPPED = {"42": "Xk3dQ", "7": "Yk3dQ"}
NOBODY = "nobody"
TIMES = range(5)


class Where(NamedTuple):
    """Where a tenant stands."""

    stage: Any
    share: float
    routing: Any


class Person(NamedTuple):
    """A client that was seen, by the ids of its path, and from when to when."""

    language: Any
    client_id: str | None
    group_id: str
    user_agent: str
    span: tuple[int, int]


class Words(NamedTuple):
    """What somebody said, how often, and from when to when. `to_id` is a name of V3."""

    speaker: Person
    msg_type: str
    target: str
    to_id: str | None
    grant: Any
    times: int
    span: tuple[int, int]


@dataclass(frozen=True)
class World:
    """Some people, what they said, the names of their tenant, and a step."""

    id_map: Mapping[str, str]
    before: Where
    after: Where
    people: Sequence[Person]
    said: Sequence[Words]

    def name(self, person: Person) -> str | None:
        return self._name(person.language, person.client_id)

    def group(self, person: Person) -> str | None:
        return self._name(person.language, person.group_id)

    def _name(self, language: str, text: str | None) -> str | None:
        return text if language == "v3" or text is None else self.id_map.get(text) or NAMES[text]

    def hears(self, listener: Person, words: Words, where: Where) -> bool:
        """Protocol 4, row by row, for two that are served."""
        born_on_v3 = words.speaker.language == "v3"
        return (self._hears_of_v3 if born_on_v3 else self._hears_of_v2)(listener, words, where)

    def _hears_of_v3(self, listener: Person, words: Words, where: Where) -> bool:
        is_v2 = listener.language == "v2"
        if words.msg_type == "presence" and is_v2:
            return False
        if words.target == "direct":
            return self._is_recipient(listener, words)
        return words.target == "broadcast" or self._is_near(listener, words) or (is_v2 and where.routing == "global")

    def _hears_of_v2(self, listener: Person, words: Words, where: Where) -> bool:
        is_v2 = listener.language == "v2"
        if is_v2 and where.routing == "global":
            return True
        if words.msg_type == "heartbeat" and not is_v2:
            return False
        if words.target == "direct":
            return self._is_recipient(listener, words)
        is_wide = words.target == "broadcast" and (is_v2 or words.grant != "none")
        return is_wide or self._is_near(listener, words)

    def _is_recipient(self, listener: Person, words: Words) -> bool:
        return words.to_id is not None and words.to_id == self.name(listener)

    def _is_near(self, listener: Person, words: Words) -> bool:
        return self.group(listener) == self.group(words.speaker)

    def losses(self) -> dict[tuple[Any, Person], tuple[int, int]]:
        """Speaker and listener -> messages that are heard before and not after, of those heard before."""
        heard: Counter[Any] = Counter()
        lost: Counter[Any] = Counter()
        for words in self.said:
            for listener in self.people:
                speaker = words.speaker
                if is_itself(speaker, listener) or not has_met(words.span, listener.span):
                    continue
                if not (is_served(speaker, self.before) and is_served(listener, self.before)):
                    continue
                if not self.hears(listener, words, self.before):
                    continue
                stays = [is_served(person, self.after) for person in (speaker, listener)]
                pair = (speaker.language, speaker.client_id, speaker.group_id), listener
                heard[pair] += words.times
                if any(stays) and not (all(stays) and self.hears(listener, words, self.after)):
                    lost[pair] += words.times
        return {pair: (number, heard[pair]) for pair, number in lost.items() if number}

    def missed(self) -> set[tuple[Any, Person]]:
        """Speaker and listener, where something is heard before and not after, though all that must move arrive."""
        return {
            ((words.speaker.language, words.speaker.client_id, words.speaker.group_id), listener)
            for words in self.said
            for listener in self.people
            if not is_itself(words.speaker, listener) and has_met(words.span, listener.span)
            if is_served(words.speaker, self.before) and is_served(listener, self.before)
            if self.hears(listener, words, self.before) and not self._hears_arrived(listener, words)
        }

    def _hears_arrived(self, listener: Person, words: Words) -> bool:
        speaker, hearer = self._arrived(words.speaker), self._arrived(listener)
        if speaker is None or hearer is None:
            return False
        is_moved = speaker is not words.speaker
        if is_moved and words.msg_type == "heartbeat":
            return False
        is_quiet = is_moved and words.target == "broadcast" and words.grant == "none"
        target = "group" if is_quiet else words.target
        return self.hears(hearer, words._replace(speaker=speaker, target=target), self.after)

    def _arrived(self, person: Person) -> Person | None:
        if is_served(person, self.after):
            return person
        name, group = self.name(person), self.group(person)
        return None if person.language == "v3" else Person("v3", name, str(group), "", person.span)


def is_served(person: Person, where: Where) -> bool:
    """Protocol 8."""
    if person.language == "v3":
        return bool(where.stage != "legacy")
    if where.stage == "drain":
        checksum = 9_999 if person.client_id is None else crc32(person.client_id.encode())
        bucket = checksum % 100 * 100 + checksum // 100 % 100
        return bucket >= round(where.share * 100)
    return bool(where.stage != "v3")


def is_itself(speaker: Person, listener: Person) -> bool:
    return speaker.client_id is not None and speaker[:2] == listener[:2]


def has_met(first: tuple[int, int], second: tuple[int, int]) -> bool:
    return bool(set(range(first[0], first[1] + 1)) & set(range(second[0], second[1] + 1)))


spans = st.tuples(st.sampled_from(TIMES), st.sampled_from(TIMES)).map(lambda two: (min(two), max(two)))
wheres = st.builds(
    Where,
    st.sampled_from(["legacy", "bridge", "drain", "v3"]),
    st.sampled_from([0, 8, 50, 88.52, 88.53, 99.99, 100]),  # 88.52 is the bucket of 42, 99.99 that of whoever has no id
    st.sampled_from(["global", "group"]),
)


def people_of(id_map: Mapping[str, str]) -> st.SearchStrategy[list[Person]]:
    """V2 and V3 clients, some of them the same, some without an id."""
    mapped = [id_map.get(v2_id, name) for v2_id, name in NAMES.items()]
    new = st.builds(Person, st.just("v3"), st.sampled_from(mapped), st.sampled_from(mapped[:2]), st.just(""), spans)
    old = st.builds(Person, st.just("v2"), st.sampled_from([*NAMES]), st.sampled_from(["42", "7"]), st.just(""), spans)
    unnamed = st.builds(
        Person, st.just("v2"), st.none(), st.sampled_from(["42", "7"]), st.sampled_from(["kiosk", "phone"]), spans
    )
    return st.lists(new | old | unnamed, min_size=1, max_size=9, unique_by=lambda person: person[:4])


def words_of(speaker: Person, names: Collection[str]) -> st.SearchStrategy[Words]:
    """What this one may say: V3's heartbeats and echoes reach nobody, and its broadcasts need a grant."""
    types = ["msg", "cmd", "presence"] if speaker.language == "v3" else ["msg", "cmd", "presence", "heartbeat"]
    plain = st.tuples(st.just("group"), st.none(), st.sampled_from(["none", "tenant", "platform"]))
    direct = st.tuples(st.just("direct"), st.sampled_from(sorted(names)), st.just("none"))
    grants = ["tenant", "platform"] if speaker.language == "v3" else ["none", "tenant", "platform"]
    broadcast = st.tuples(st.just("broadcast"), st.none(), st.sampled_from(grants))
    return st.builds(
        lambda msg_type, to, times, span: Words(speaker, msg_type, to[0], to[1], to[2], times, span),
        st.sampled_from(types),
        plain | direct | broadcast,
        st.integers(1, 9),
        spans,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    id_map = draw(st.sampled_from([{}, MAPPED]))
    before, after = draw(wheres), draw(wheres)
    people = draw(people_of(id_map))
    names = {NOBODY, *NAMES.values(), *id_map.values()}
    words = st.sampled_from(people).flatmap(lambda speaker: words_of(speaker, names))
    said = draw(st.lists(words, max_size=12, unique_by=speech_of))
    return World(id_map, before, after, people, said)


def visitor_of(person: Person) -> Visitor:
    return Visitor(person.language, person.language, person.client_id, person.group_id, person.user_agent)


def speech_of(words: Words) -> Speech:
    speaker = words.speaker
    return Speech(
        speaker.language, speaker.client_id, speaker.group_id, words.msg_type, words.target, words.to_id, words.grant
    )


def predict(world: World) -> Prediction:
    tenant = Tenant("acme", names=Names(world.id_map))
    before, after = (Standing(*where).of_tenant(tenant) for where in (world.before, world.after))
    predictor = Predictor(before, after, ADDRESSES)
    population = [Seen(visitor_of(person), *person.span, 0, "") for person in world.people]
    for _ in predictor.predict(population, [Said(speech_of(words), *words.span, words.times) for words in world.said]):
        pass
    return predictor.prediction


def pairs(found: Sequence[tuple[Any, Visitor, Pair]]) -> dict[tuple[Any, Visitor], tuple[int, int]]:
    return {(speaker, listener): (pair.lost, pair.heard) for speaker, listener, pair in found}


@settings(max_examples=3 * settings().max_examples)
@given(worlds())
def test_the_predicted_silence_is_what_is_heard_before_and_not_after(world: World) -> None:
    prediction = predict(world)
    losses = {(speaker, visitor_of(listener)): loss for (speaker, listener), loss in world.losses().items()}
    silenced, quieter = pairs(prediction.silenced.first), pairs(prediction.quieter.first)
    assert silenced == {pair: (lost, of) for pair, (lost, of) in losses.items() if lost == of}
    assert quieter == {pair: (lost, of) for pair, (lost, of) in losses.items() if lost < of}
    assert prediction.is_whole


@given(worlds())
def test_what_is_missed_though_all_arrive_is_what_v3_does_not_hear(world: World) -> None:
    missed = {(speaker, visitor_of(listener)) for speaker, listener in world.missed()}
    assert predict(world).missed == missed


@given(worlds())
def test_whoever_is_served_before_and_not_after_is_refused_with_the_code_of_the_stage(world: World) -> None:
    prediction = predict(world)
    refused = {
        visitor_of(person)
        for person in world.people
        if is_served(person, world.before) > is_served(person, world.after)
    }
    assert {refusal.seen.visitor for refusal in prediction.refused} == refused
    assert prediction.refused_clients == len(prediction.refused) == len(refused)
    codes = {"legacy": "stage_legacy", "drain": "moved_to_v3", "v3": "v2_retired"}
    assert all(refusal.code == codes[world.after.stage] for refusal in prediction.refused)


@given(worlds())
def test_every_message_is_counted_and_those_that_somebody_misses_are_among_the_affected(world: World) -> None:
    prediction = predict(world)
    assert prediction.messages == sum(words.times for words in world.said)
    missed = max((lost for lost, _ in world.losses().values()), default=0)
    assert missed <= prediction.affected <= prediction.messages


@given(worlds())
def test_a_step_that_changes_nothing_silences_nobody(world: World) -> None:
    prediction = predict(World(world.id_map, world.before, world.before, world.people, world.said))
    assert (prediction.refused, prediction.silenced.first, prediction.quieter.first) == ([], [], [])
    assert prediction.affected == 0


# One step, looked at closely.


def v2(client_id: str | None = "42", group_id: str = "7", user_agent: str = "") -> Person:
    return Person("v2", client_id, group_id, user_agent, (0, 4))


def v3(client_id: str = "ann", group_id: str = "v2-7") -> Person:
    return Person("v3", client_id, group_id, "", (0, 4))


def said(speaker: Person, target: str = "group", to_id: str | None = None, times: int = 1) -> Words:
    return Words(speaker, "msg", target, to_id, "none", times, (0, 4))


def step(people: Sequence[Person], words: Sequence[Words], *, after: Where, before: Where | None = None) -> Prediction:
    return predict(World({}, before or Where("bridge", 0, "global"), after, people, words))


def test_a_refused_client_is_told_from_others_by_its_bucket_name_successor_and_channel() -> None:
    prediction = step([v2("42", "a b"), v2(None, "team"), v3()], [], after=Where("v3", 0, "global"))
    named, unnamed = prediction.refused
    assert (named.name, named.bucket, named.successor) == ("v2-42", 88.52, "/v3/ws/group/v2-a_20b/client/v2-42")
    assert named.channel == "aether:{acme:g:v2-a_20b}"
    assert (unnamed.name, unnamed.bucket, unnamed.successor) == (None, 99.99, None)
    assert unnamed.channel == "aether:{acme:g:team}"
    (new,) = step([v2(), v3()], [], after=Where("legacy", 0, "global")).refused
    assert (new.name, new.code, new.bucket, new.successor) == ("ann", "stage_legacy", None, None)


@pytest.mark.parametrize(
    ("target", "to_id", "channel", "said_to"),
    [
        ("group", None, "aether:{acme:g:v2-7}", "group v2-7"),
        ("direct", "ann", "aether:{acme:c:ann}", "client ann"),
    ],
)
def test_a_silence_says_on_which_channel_it_would_be_heard(
    target: str, to_id: str | None, channel: str, said_to: str
) -> None:
    prediction = step([v2(), v3()], [said(v2(), target, to_id)], after=Where("v3", 0, "global"))
    ((speaker, listener, pair),) = prediction.silenced.first
    assert (speaker, listener.client_id, pair.channel) == (("v2", "42", "7"), "ann", channel)
    assert pair.said_to == said_to


def test_who_loses_most_comes_first() -> None:
    listeners = [v2(name, "7") for name in ("ann", "dev_1")]
    words = [said(v2("42", "team"), times=2), said(v2("7", "team"), times=9)]
    prediction = step([*listeners], words, after=Where("bridge", 0, "group"))
    assert [pair.lost for _, _, pair in prediction.silenced.first] == [9, 9, 2, 2]


def test_a_listener_that_would_hear_only_some_is_quieter() -> None:
    words = [said(v2("42", "team"), times=2), said(v2("42", "team"), "direct", "dev_1", times=3)]
    prediction = step([v2("dev_1", "7")], words, after=Where("bridge", 0, "group"))
    assert prediction.silenced.first == []
    ((_, _, pair),) = prediction.quieter.first
    assert (pair.lost, pair.heard) == (2, 5)


def test_who_moves_and_who_misses_something_is_counted_by_client() -> None:
    people = [v2("42"), v2("42", "team"), v2("7"), v3()]
    words = [said(v2("42")), said(v2("42"), "direct", "ann"), said(v2("7"))]
    prediction = step(people, words, after=Where("v3", 0, "global"))
    assert {who.client_id for who in prediction.moved} == {"42", "7"}
    assert {who.client_id: pairs for who, pairs in prediction.unheard("none").items()} == {"ann": 2}
    # Under `global` they hear other groups, and what is said to others; on V3 neither.
    assert {(who.client_id, who.group_id): pairs for who, pairs in prediction.unheard("all").items()} == {
        ("42", "team"): 1,
        ("7", "7"): 1,
    }


def test_who_has_left_v2_is_met_no_more_and_what_it_said_there_is_over() -> None:
    tenant = Tenant("acme")
    after = Standing("v3", 0, "global").of_tenant(tenant)
    predictor = Predictor(tenant, after, ADDRESSES, lambda client_id, _user_agent: client_id == "42")
    people = [Seen(visitor_of(person), 0, 4, 0, "") for person in (v2("42"), v2("7"), v3())]
    for _ in predictor.predict(people, [Said(speech_of(said(v2("42"))), 0, 4, 9)]):
        pass
    prediction = predictor.prediction
    assert [refusal.seen.visitor.client_id for refusal in prediction.refused] == ["7"]
    assert (prediction.pairs, prediction.affected) == ({}, 0)


def test_more_refusals_than_are_listed_are_counted_all_the_same() -> None:
    people = [v2(f"k{number}", "team") for number in range(MOST_LISTED + 5)]
    tenant = Tenant("acme")
    predictor = Predictor(tenant, Standing("v3", 0, "global").of_tenant(tenant), ADDRESSES)
    turns = sum(1 for _ in predictor.predict([Seen(visitor_of(person), 0, 4, 0, "") for person in people], []))
    assert turns >= 2  # others have their turn meanwhile
    assert (len(predictor.prediction.refused), predictor.prediction.refused_clients) == (MOST_LISTED, len(people))


def test_beyond_its_bound_the_loudest_are_compared_and_it_says_that_it_is_not_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predicted, "MOST_COMPARED", 3)
    people = [v2(name, "team") for name in ("ann", "dev_1", "a b", "team")]
    words = [said(v2("7", "7"), times=1), said(v2("42", "7"), times=9)]
    prediction = step(people, words, after=Where("bridge", 0, "group"))
    assert not prediction.is_whole
    assert {speaker for speaker, _, _ in prediction.silenced.first} == {("v2", "42", "7")}
    assert prediction.messages == 10


def test_a_message_that_nobody_heard_is_missed_by_nobody() -> None:
    prediction = step([v2("42")], [said(v2("42"))], after=Where("v3", 0, "global"))
    assert prediction.affected == 0


def test_of_those_who_could_hear_nothing_nobody_is_remembered() -> None:
    tenant = Tenant("acme")
    predictor = Predictor(tenant, Standing("v3", 0, "global").of_tenant(tenant), ADDRESSES)
    words = said(v2())
    assert len(list(predictor.expect([Said(speech_of(words), *words.span, words.times)]))) == 1
    for group in ("silent", "v2-7"):
        people = [Seen(visitor_of(v3(f"p{number}", group)), 0, 4, 0, "") for number in range(5)]
        assert len(list(predictor.meet(people))) == 1
    assert sum(map(len, predictor._audience.values())) == 5


def test_those_who_were_there_at_another_time_are_looked_at_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicted, "MOST_LOOKED_AT", 3)
    tenant = Tenant("acme")
    predictor = Predictor(tenant, tenant, ADDRESSES)
    population = [Seen(visitor_of(v3(f"p{number}")), 100, 200, 0, "") for number in range(4)]
    words = [Said(speech_of(said(v2(f"{number}"))), 0, 1, 1) for number in range(3)]
    for _ in predictor.predict(population, words):
        pass
    assert not predictor.prediction.is_whole
    assert predictor._looked_at == 4
