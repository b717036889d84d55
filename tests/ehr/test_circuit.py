"""The circuit breaker: when it opens, who tries it, and what no longer counts."""

from concurrent.futures import ThreadPoolExecutor

from cds_service.ehr.circuit import COOL_DOWN_SECONDS, FAILURES_TO_OPEN, Circuit, Circuits, CircuitState


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _visited(circuit: Circuit, *answers: bool) -> None:
    for has_answered in answers:
        visit = circuit.enter()
        assert visit is not None
        circuit.report(visit, has_answered=has_answered)
        circuit.leave(visit)


def _opened() -> tuple[Circuit, Clock]:
    clock = Clock()
    circuit = Circuit(clock)
    _visited(circuit, *[False] * FAILURES_TO_OPEN)
    return circuit, clock


def test_one_failure_less_than_the_limit_leaves_it_closed() -> None:
    circuit = Circuit(Clock())
    _visited(circuit, *[False] * (FAILURES_TO_OPEN - 1))
    assert circuit.state is CircuitState.CLOSED


def test_as_many_failures_as_the_limit_open_it() -> None:
    circuit, _ = _opened()
    assert circuit.state is CircuitState.OPEN
    assert circuit.enter() is None


def test_failures_count_only_in_a_row() -> None:
    circuit = Circuit(Clock())
    _visited(circuit, *[False] * (FAILURES_TO_OPEN - 1), True, *[False] * (FAILURES_TO_OPEN - 1))
    assert circuit.state is CircuitState.CLOSED


def test_nobody_enters_just_before_it_has_cooled_down() -> None:
    circuit, clock = _opened()
    clock.now += COOL_DOWN_SECONDS - 0.001
    assert circuit.enter() is None


def test_exactly_one_tries_when_it_has_cooled_down() -> None:
    circuit, clock = _opened()
    clock.now += COOL_DOWN_SECONDS
    with ThreadPoolExecutor(8) as threads:
        entered = [visit for visit in threads.map(lambda _: circuit.enter(), range(50)) if visit is not None]
    assert len(entered) == 1
    assert circuit.state is CircuitState.HALF_OPEN


def test_a_trial_that_is_answered_closes_it() -> None:
    circuit, clock = _opened()
    clock.now += COOL_DOWN_SECONDS
    _visited(circuit, True)
    assert circuit.state is CircuitState.CLOSED
    _visited(circuit, *[False] * (FAILURES_TO_OPEN - 1))
    assert circuit.state is CircuitState.CLOSED, "the failures of before are forgotten"


def test_a_trial_that_fails_opens_it_for_as_long_again() -> None:
    circuit, clock = _opened()
    clock.now += COOL_DOWN_SECONDS
    _visited(circuit, False)
    clock.now += COOL_DOWN_SECONDS - 0.001
    assert circuit.enter() is None
    clock.now += 0.001
    assert circuit.enter() is not None


def test_a_trial_of_which_nothing_came_lets_the_next_one_try() -> None:
    circuit, clock = _opened()
    clock.now += COOL_DOWN_SECONDS
    visit = circuit.enter()
    assert visit is not None
    circuit.leave(visit)
    assert circuit.state is CircuitState.OPEN
    assert circuit.enter() is not None


def test_what_a_visit_from_before_reports_counts_neither_way() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    early = circuit.enter()
    assert early is not None
    _visited(circuit, *[False] * FAILURES_TO_OPEN)
    circuit.report(early, has_answered=True)
    assert circuit.state is CircuitState.OPEN
    clock.now += COOL_DOWN_SECONDS
    trial = circuit.enter()
    assert trial is not None
    circuit.report(early, has_answered=False)
    circuit.leave(early)
    assert circuit.state is CircuitState.HALF_OPEN
    circuit.report(trial, has_answered=True)
    assert circuit.state is CircuitState.CLOSED


def test_failures_of_many_threads_open_it_once() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    visits = [circuit.enter() for _ in range(50)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda visit: circuit.report(visit, has_answered=False), visits))
    assert circuit.state is CircuitState.OPEN
    clock.now += COOL_DOWN_SECONDS
    assert circuit.enter() is not None


def test_each_server_has_its_own_and_keeps_it() -> None:
    circuits = Circuits(Clock())
    assert circuits.of(("a", "x")) is circuits.of(("a", "x"))
    assert circuits.of(("a", "x")) is not circuits.of(("b", "x"))
