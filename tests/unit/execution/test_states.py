from itertools import product

import pytest

from helios_core.domain.trading import OrderState
from helios_core.errors import OrderError
from helios_core.execution.states import LOCAL_EVENTS, TERMINAL, TRANSITIONS, OrderEvent, advance

EVERYTHING = list(product(OrderState, OrderEvent))


@pytest.mark.parametrize(("state", "event"), EVERYTHING)
def test_a_step_is_in_the_table_or_refused(state, event):
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(OrderError, match=f"state {state} cannot take {event}"):
            advance(state, event)


def test_nothing_leaves_a_terminal_state():
    assert not [state for state, _ in TRANSITIONS if state in TERMINAL]


def test_only_the_venue_ends_an_order():
    ended_by = {event for (_, event), after in TRANSITIONS.items() if after in TERMINAL}

    assert not ended_by & LOCAL_EVENTS


def test_silence_never_ends_an_order():
    after_silence = {after for (_, e), after in TRANSITIONS.items() if e is OrderEvent.SILENCE}

    assert after_silence == {OrderState.UNKNOWN}


def test_every_living_state_can_become_unknown_and_unknown_can_reach_every_answer():
    living = set(OrderState) - TERMINAL - {OrderState.UNKNOWN}
    heard = {after for (state, _), after in TRANSITIONS.items() if state is OrderState.UNKNOWN}

    assert all((state, OrderEvent.SILENCE) in TRANSITIONS for state in living)
    assert heard >= {
        OrderState.PLACED,
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
    }


def test_every_state_can_be_reached_from_an_intent_and_every_living_one_can_end():
    reached, frontier = set(), {OrderState.INTENT}
    while frontier:
        reached |= frontier
        frontier = {b for (a, _), b in TRANSITIONS.items() if a in frontier} - reached
    ending = set(TERMINAL)
    for _ in OrderState:
        ending |= {a for (a, _), b in TRANSITIONS.items() if b in ending}

    assert reached == set(OrderState)
    assert ending == set(OrderState)


def test_an_intent_is_not_filled_before_it_is_sent():
    with pytest.raises(OrderError, match="Reconcile"):
        advance(OrderState.INTENT, OrderEvent.FILL)
