"""What cannot be, of an answer as a whole: the sentences that stand beside the fields."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from fhir_mappings.attested import Given, Setting, primary_code, removal_of

Mistakes = dict[str, str]  # by field
_ALL = Decimal(100)


def implausible(given: Given, setting: Setting) -> Mistakes:
    """The mistakes of an answer whose fields are each well-formed, by field; none where it can be written."""
    check = _CHECKS.get(given.fact)
    return check(given, setting) if check is not None else {}


def _proliferation(given: Given, setting: Setting) -> Mistakes:
    mistakes = _number(given)
    tissue = given.option("tissue")
    if tissue is not None and tissue.id == "primary" and primary_code(setting.sites) is None:
        mistakes["tissue"] = "State the primary site above as well: the specimen was taken there."
    return mistakes


def _involvement(given: Given, setting: Setting) -> Mistakes:  # noqa: ARG001 - all checks are called alike
    """One way of stating it: two would be two statements of one study."""
    volumes = [name for name in ("tumour", "liver") if given.number(name) is not None]
    is_number = any(name in given.values for name in ("low", "high", "comparator"))
    ways = [is_number, given.option("band") is not None, bool(volumes)]
    if sum(ways) != 1:
        return {"low": "Give one of these: a percentage, a band, or the two volumes."}
    if is_number:
        return _number(given)
    return _volumes(given) if volumes else {}


def _volumes(given: Given) -> Mistakes:
    tumour, liver = given.number("tumour"), given.number("liver")
    if tumour is None or liver is None:
        return {"liver" if liver is None else "tumour": "Both volumes of the study are needed."}
    return {"tumour": "The tumour cannot be larger than the liver."} if tumour > liver else {}


def _number(given: Given) -> Mistakes:
    low, high, comparator = given.number("low"), given.number("high"), given.option("comparator")
    if low is None:
        return {"low": "Type the percentage."}
    if comparator is not None and high is not None:
        return {"comparator": "A range has no “less than” or “more than”: leave one of them empty."}
    if high is not None and high < low:
        return {"high": "The upper end is smaller than the lower end."}
    is_nothing = comparator is not None and (comparator.id, low) in (("lt", Decimal(0)), ("gt", _ALL))
    return {"low": "No percentage is less than 0 or more than 100."} if is_nothing else {}


def _elsewhere(given: Given, setting: Setting) -> Mistakes:  # noqa: ARG001 - all checks are called alike
    value = given.option("value")
    if value is not None and value.id == "absent" and given.option("site") is not None:
        return {"site": "A site belongs to disease that is present: leave it empty, or answer “present”."}
    return {}


def _resection(given: Given, setting: Setting) -> Mistakes:
    performed = given.option("performed")
    return _RESECTIONS[performed.id](given, setting) if performed is not None else {}


def _done(given: Given, setting: Setting) -> Mistakes:  # noqa: ARG001 - all checks are called alike
    needed = {"operation": "Choose the operation.", "date": "Type the date of the operation."}
    return {name: text for name, text in needed.items() if name not in given.values}


def _not_done(given: Given, setting: Setting) -> Mistakes:
    mistakes = {
        name: "This belongs to an operation that was done: leave it empty, or answer “Yes”."
        for name in ("operation", "residual", "date")
        if name in given.values
    }
    if removal_of(setting.sites) is None:
        mistakes["performed"] = (
            "State the primary site above as well, as one that is resected: it names the operation that was not done."
        )
    return mistakes


def _on_record(given: Given, setting: Setting) -> Mistakes:
    """The residual status is all that can be added to an operation on record."""
    mistakes = {}
    if not setting.operations:
        mistakes["performed"] = (
            "No resection of the primary is on record: answer “Yes” and name the operation."
        )
    if "operation" in given.values:
        mistakes["operation"] = "The operation on record has its name already: leave this empty."
    if "residual" not in given.values:
        mistakes["residual"] = "Choose the residual tumour."
    if "date" not in given.values and setting.operated_on is None:
        mistakes["date"] = "Type the date of the operation: the record has none."
    return mistakes


_RESECTIONS: Mapping[str, Callable[[Given, Setting], Mistakes]] = {
    "done": _done,
    "not-done": _not_done,
    "recorded": _on_record,
}
_CHECKS: Mapping[str, Callable[[Given, Setting], Mistakes]] = {
    "ki67_percent": _proliferation,
    "liver_involvement_percent": _involvement,
    "extrahepatic_disease": _elsewhere,
    "primary_resection": _resection,
}
