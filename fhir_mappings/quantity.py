"""What was measured, as intervals: FHIR quantities, ranges, ratios and texts such as `3-5 %`, read with their units.

Every reading is a `Measured` value or a `Refused` reason; a unit that does not fit is never guessed away.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import combinations
from typing import Any

from fhir_mappings.interval import Interval, hull, point

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """An interval in the unit that was asked for, the value as written, and whether it needs a clinician's confirmation."""

    interval: Interval
    as_written: str
    note: str | None = None  # "unit-missing", "approximate", "text-value"
    needs_confirmation: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a value could not be read, as a clause for a clinician."""

    reason: str
    as_written: str | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """A kind of measurement: its bounds, and the factor of each way to write its unit (terminology.md 0.9, 2 g, h)."""

    name: str
    factors: Mapping[str, Decimal]
    maximum: Decimal
    symbol: str

    def factor(self, unit: str) -> Decimal | None:
        """The factor from a written unit to this scale, or None for another kind of unit."""
        return self.factors.get(re.sub(r"\s+", "", unit).lower().replace("²", "2").replace("³", "3"))


_ONE, _HUNDRED = Decimal(1), Decimal(100)
_LONGEST = 1000  # characters: a longer text is a report, which nobody reads as one value
_MAGNITUDE = 15  # powers of ten, up and down: beyond them no measurement lies, and arithmetic overflows
PERCENT = Scale(
    "percent",
    {
        "%": _ONE,
        "percent": _ONE,
        "{percent}": _ONE,
        "pct": _ONE,
        "prozent": _ONE,
        "procent": _ONE,
        "1": _HUNDRED,
        "dl/l": Decimal(10),
    },
    _HUNDRED,
    "%",
)
VOLUME = Scale(
    "volume",
    {
        "ml": _ONE,
        "cm3": _ONE,
        "cm^3": _ONE,
        "cc": _ONE,
        "dl": _HUNDRED,
        "l": Decimal(1000),
        "mm3": Decimal("0.001"),
    },
    Decimal(20000),
    "mL",
)
MITOSES_PER_2_MM2 = Scale(
    "mitoses per 2 mm2",
    {
        "/(2.mm2)": _ONE,
        "/2.mm2": _ONE,  # valid UCUM for (1/2).mm2, written for per 2 mm2
        "/2mm2": _ONE,
        "per2mm2": _ONE,
        "/mm2": Decimal(2),
        "/mm^2": Decimal(2),
        "mm-2": Decimal(2),
        "/(10.mm2)": Decimal("0.2"),
        "/10mm2": Decimal("0.2"),
    },
    Decimal(1000),
    "per 2 mm2",
)
MITOSES_PER_10_HPF = Scale(
    "mitoses per 10 HPF",
    {
        "/10.[hpf]": _ONE,
        "/(10.[hpf])": _ONE,
        "/10[hpf]": _ONE,
        "/{10hpf}": _ONE,
        "/10hpf": _ONE,
        "per10hpf": _ONE,
        "/[hpf]": Decimal(10),
        "/hpf": Decimal(10),
    },
    Decimal(1000),
    "per 10 HPF",
)

_SCALES = (PERCENT, VOLUME, MITOSES_PER_2_MM2, MITOSES_PER_10_HPF)
_PERCENT_SIGN = re.compile(r"\s*%(?![a-zA-Z])")  # "%", "% of cells"; not "mg%"

_NUMBER = r"\d{1,4}(?:[.,]\d{1,4})?"
_TEXT = re.compile(
    rf"(?<![\d.,])(?P<about>ca\.?|c\.|~|≈|about|approx\.?|approximately|etwa|ongeveer)?\s*"
    rf"(?P<comparator><=|>=|≤|≥|<|>|=)?\s*(?P<low>{_NUMBER})\s*%?"
    rf"(?:\s*(?:-|–|—|to|bis|tot)\s*(?P<high>{_NUMBER}))?\s*(?P<unit>%|percent|prozent|procent)?",
    re.IGNORECASE,
)
_RAISING = re.compile(
    r"more|over|above|great|exceed|at least|high|from|mehr|über|mindestens|hoch|ab |meer|boven|hoger|minstens",
    re.IGNORECASE,
)  # words around a value that say it may be larger: "more than 20 %"
_NO_VALUES = re.compile(
    r"\bki\W?67\b|\bmib\W?1\b|\b\d{4}-\d\d(?:-\d\d)?\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d\d)\b",
    re.IGNORECASE,
)  # numbers that name a marker or a day
_NUMBER_ALONE = re.compile(rf"(?<!\w)(?<!\d[.,]){_NUMBER}(?!\w)")  # not the 2 of G2, nor the 400x of a lens
_COMPARATORS = {"≤": "<=", "≥": ">=", "=": "", "": "", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def measure(value: Json, scale: Scale) -> Measured | Refused | None:  # noqa: PLR0911  one line a type of value[x]
    """Read `value[x]` of an Observation or component on a scale; None if it carries no value at all."""
    if isinstance(quantity := value.get("valueQuantity"), Mapping):
        return _quantity(quantity, scale)
    if isinstance(bounds := value.get("valueRange"), Mapping):
        return _range(bounds, scale)
    if isinstance(ratio := value.get("valueRatio"), Mapping):
        return _ratio(ratio, scale)
    if (number := value.get("valueInteger")) is not None:
        return _quantity({"value": number}, scale)
    if isinstance(text := value.get("valueString"), str):
        return measure_text(text, scale)
    if isinstance(concept := value.get("valueCodeableConcept"), Mapping):
        return _labelled(concept, scale)
    return None


def measure_text(text: str, scale: Scale) -> Measured | Refused:
    """Read a text such as `<2%`, `2-3 %`, `ca. 5 %`, `5,0 %`; a value among other words needs confirmation."""
    clean = " ".join(text.split())  # single blanks, or the pattern takes cubic time on a run of them
    match = _TEXT.fullmatch(clean) if len(clean) <= _LONGEST else None
    words = match is None
    if match is None and scale is PERCENT and len(clean) <= _LONGEST:
        found = [hit for hit in _TEXT.finditer(clean) if "%" in hit.group(0) or hit.group("unit")]
        match = found[0] if len(found) == 1 and not _has_more_numbers(clean, found[0], scale) else None
    if match is None:
        return Refused("the text holds no single value that can be read", clean)
    is_percent = match["unit"] is not None or "%" in match.group(0)
    if is_percent and scale is not PERCENT:
        return Refused(f"the unit is not one of {scale.name}", clean)
    bounds = _bounds(match, scale)
    if bounds is None:
        return Refused("the value contradicts itself", clean)
    if words and _RAISING.search(clean):
        bounds = (bounds[0], scale.maximum, bounds[2], True)
    note = "text-value" if is_percent or scale is not PERCENT else "unit-missing"
    return _checked(bounds, scale, clean, note=note, confirm=words)


def _has_more_numbers(text: str, match: re.Match[str], scale: Scale) -> bool:
    """Whether words around a value hold a second number that may be one: "5 %, hot spot 25" is not 5 %."""
    around = _NO_VALUES.sub(" ", f"{text[: match.start()]} ; {text[match.end() :]}")
    numbers = (Decimal(number.replace(",", ".")) for number in _NUMBER_ALONE.findall(around))
    return any(number <= scale.maximum for number in numbers)


def _quantity(quantity: Json, scale: Scale) -> Measured | Refused:
    written = _written(quantity)
    number = _decimal(quantity.get("value"))
    if number is None:
        return Refused("no numeric value", written)
    factor, note = _factor(quantity, scale)
    if factor is None:
        return Refused(note or "", written)
    comparator = _COMPARATORS.get(str(quantity.get("comparator") or "").strip())
    if comparator is None:
        return Refused("its comparator is not one that FHIR defines", written)
    return _checked(_compared(number * factor, comparator, scale.maximum), scale, written, note=note)


def _factor(quantity: Json, scale: Scale) -> tuple[Decimal | None, str | None]:
    """The factor of a quantity's unit and a note; without a factor, the reason."""
    wrong = f"the unit is not one of {scale.name}"
    units = [str(unit) for unit in (quantity.get("code"), quantity.get("unit")) if unit]
    if not units:
        return _ONE, "unit-missing"
    if any(other.factor(unit) for other in _SCALES if other is not scale for unit in units if unit != "1"):
        return None, wrong
    factors = {factor for unit in units if (factor := scale.factor(unit)) is not None}
    if scale is PERCENT and any(_PERCENT_SIGN.match(unit) for unit in units):
        return (None, _TWO_UNITS) if _may_be_either(quantity, factors, scale) else (_ONE, None)
    return (factors.pop(), None) if len(factors) == 1 else (None, wrong)


_TWO_UNITS = "its unit and the code of its unit contradict each other"


def _may_be_either(quantity: Json, factors: set[Decimal], scale: Scale) -> bool:
    """Whether a value may be meant in either of two units: 15 "%" with the code "1" is no 1500 %, 0.15 may be 15 %."""
    number = _decimal(quantity.get("value")) or Decimal(0)
    return number != 0 and any(factor != _ONE and number * factor <= scale.maximum for factor in factors)


def _range(bounds: Json, scale: Scale) -> Measured | Refused:
    quantities = [_object(bounds.get(name)) for name in ("low", "high")]
    written = " to ".join(_written(quantity) for quantity in quantities)
    units = [{name: item[name] for name in ("code", "unit") if item.get(name)} for item in quantities]
    shared = next((unit for unit in units if unit), {})  # a unit that stands at one end speaks for both
    ends = [
        _end({**shared, **quantity}, scale) if bounds.get(name) is not None else None
        for name, quantity in zip(("low", "high"), quantities, strict=True)
    ]
    refused = next((end for end in ends if isinstance(end, Refused)), None)
    if refused is not None or ends == [None, None]:
        return Refused(refused.reason if refused else "the range has no end", written)
    low, high = (end if isinstance(end, Decimal) else None for end in ends)
    return _checked(
        (low if low is not None else Decimal(0), high if high is not None else scale.maximum, True, True),
        scale,
        written,
        note=None if shared else "unit-missing",
    )


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _end(quantity: Json, scale: Scale) -> Decimal | Refused:
    number = _decimal(quantity.get("value"))
    factor, _ = _factor(quantity, scale)
    if number is None or factor is None:
        return Refused("an end of the range has no value in a unit of " + scale.name)
    return number * factor


def _ratio(ratio: Json, scale: Scale) -> Measured | Refused:
    numerator, denominator = _object(ratio.get("numerator")), _object(ratio.get("denominator"))
    written = f"{_written(numerator)} : {_written(denominator)}"
    top, bottom = _decimal(numerator.get("value")), _decimal(denominator.get("value"))
    if (
        top is None
        or not bottom
        or bottom < 0
        or numerator.get("comparator")
        or denominator.get("comparator")
    ):
        return Refused("the ratio cannot be divided", written)
    unit, counted = (str(item.get("code") or item.get("unit") or "") for item in (denominator, numerator))
    factor = scale.factor("/" + unit)
    if scale is PERCENT:  # a part of a whole: both in one unit, or both counted
        factor = _HUNDRED if unit == counted and "%" not in unit else None
    if factor is None:
        return Refused(f"the unit is not one of {scale.name}", written)
    return _checked((top / bottom * factor, top / bottom * factor, True, True), scale, written)


_Bounds = tuple[Decimal, Decimal, bool, bool]


def _bounds(match: re.Match[str], scale: Scale) -> _Bounds | None:
    """The limits that a text gives; None where it compares a range ("< 5 - 10")."""
    low = Decimal(match["low"].replace(",", "."))
    high = Decimal(match["high"].replace(",", ".")) if match["high"] else low
    comparator = _COMPARATORS[match["comparator"] or ""]
    if comparator and match["high"]:
        return None
    if match["about"] and high <= scale.maximum:  # "about 10" is 9 to 11 (clinical.md 7.1)
        low, high = low * Decimal("0.9"), min(high * Decimal("1.1"), scale.maximum)
    return (
        _compared(low if ">" in comparator else high, comparator, scale.maximum)
        if comparator
        else (low, high, True, True)
    )


def _compared(number: Decimal, comparator: str, maximum: Decimal) -> _Bounds:
    if comparator in ("<", "<="):
        return Decimal(0), number, True, comparator == "<="
    if comparator in (">", ">="):
        return number, max(maximum, number), comparator == ">=", True
    return number, number, True, True


def _checked(
    bounds: _Bounds, scale: Scale, written: str, *, note: str | None = None, confirm: bool = False
) -> Measured | Refused:
    low, high, low_closed, high_closed = bounds
    if low < 0 or high > scale.maximum:
        return Refused(f"the value lies outside 0 to {scale.maximum:f} {scale.symbol}", written)
    if scale is PERCENT and note == "unit-missing" and high <= 1 and high > 0:
        return Refused("no unit: a fraction and a percentage cannot be told apart", written)
    try:
        return Measured(Interval(low, high, low_closed, high_closed), written, note, confirm)
    except ValueError:
        return Refused("the value contradicts itself", written)


def _decimal(value: object) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    is_measurable = number.is_finite() and abs(number.adjusted()) <= _MAGNITUDE
    return number if is_measurable else None


def _written(quantity: Json) -> str:
    parts = (quantity.get("comparator"), quantity.get("value"), quantity.get("unit") or quantity.get("code"))
    return " ".join(str(part) for part in parts if part is not None)


LABELS_DIFFER = "its labels give different values"


def _labelled(concept: Json, scale: Scale) -> Measured | Refused:
    """The value in the words of a concept: of its text, else of its first display, unless another label says otherwise."""
    given = concept.get("coding")
    codings = [_object(item) for item in given] if isinstance(given, list) else []
    labels = [str(concept.get("text") or ""), *(str(item.get("display") or "") for item in codings)]
    said = list(dict.fromkeys(filter(None, labels))) or [""]
    first, *others = [measure_text(label, scale) for label in said]
    if isinstance(first, Refused):
        return first
    values = [first.interval, *(item.interval for item in others if isinstance(item, Measured))]
    if not all(one.overlaps(other) for one, other in combinations(values, 2)):
        return Refused(LABELS_DIFFER, " / ".join(said))
    return replace(first, interval=hull(values))  # "20 %" and "11-25 %": what either allows


def naaccr_ki67(text: str) -> Measured | Refused:
    """Read NAACCR data item 3863: a percentage, or `XXX.4` (< 3), `XXX.5` (3 to 20), `XXX.6` (> 20), else no value."""
    code = text.strip().upper()
    categories = {
        "XXX.4": Interval(Decimal(0), Decimal(3), high_closed=False),
        "XXX.5": Interval(Decimal(3), Decimal(20)),
        "XXX.6": Interval(Decimal(20), _HUNDRED, low_closed=False),
    }
    if code in categories:
        return Measured(categories[code], code)
    number = _decimal(code) if re.fullmatch(r"\d{1,3}(?:\.\d)?", code) else None
    if number is None or number > _HUNDRED:
        return Refused("the registry code states no percentage", code)
    return Measured(point(number), f"{code} %")
