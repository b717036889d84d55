"""What a coding means: the value sets in `valuesets/`, found under any spelling of system and code.

A value set is one meaning, and its `compose.include.concept` list is its content: to add a code, add a line.
Nothing here knows a code; what it knows is how codes are spelled.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

NOTHING: Final[frozenset[str]] = frozenset()
"""The meanings of a coding that no value set holds."""

_VALUE_SETS = files("fhir_mappings") / "valuesets"
_RULE_SET = "other-malignancy-range"
_RUBRIC = 3


@dataclass(frozen=True, slots=True)
class Concept:
    """A code as a value set holds it, under the label we give it."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class _CodeSystem:
    """How records send one code system; `borrows` names another whose matching codes it also takes."""

    uri: str | None
    spelling: str
    aliases: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    borrows: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """The codes of one system and their meanings, under every spelling we foresee."""

    uri: str | None
    spelling: str
    spelled: Mapping[str, frozenset[str]]
    rubrics: frozenset[str]

    def respelled(self, code: str | None) -> frozenset[str]:
        """The meanings of a code not found as it stands; for most this ends at the first test."""
        if not code or (code.strip() == code and self._has_no_other_spelling(code)):
            return NOTHING
        found = [self._meanings(canonical) for canonical in _SPELLINGS[self.spelling].canonical(code.strip())]
        return found[0] if len(found) == 1 else NOTHING.union(*found)

    def _has_no_other_spelling(self, code: str) -> bool:
        if code[:_RUBRIC] not in self.rubrics:
            return True
        is_canonical = code[_RUBRIC : _RUBRIC + 1] == "." and code.isupper() and " " not in code
        return self.spelling == "icd-10" and is_canonical

    def _meanings(self, code: str) -> frozenset[str]:
        shortest = _RUBRIC if self.spelling == "icd-10-tree" else len(code)
        parents = (code[:length].rstrip(".") for length in range(len(code), shortest - 1, -1))
        return next((self.spelled[parent] for parent in parents if parent in self.spelled), NOTHING)


# --- spelling -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How the codes of a system are written: to the canonical form, and from it to those seen in records."""

    canonical: Callable[[str], tuple[str, ...]]
    variants: Callable[[str], Iterable[str]]
    rubrics: bool = False


_ICD_10_WITH_WORDS: Final = re.compile(
    r"([a-z]\d[\da-z](?:\.?[\da-z]{1,4})?)[^\w\s]*\s+[^\w]*[^\W\d_]{2}", re.IGNORECASE
)
"""A code, a blank and the beginning of a word: its label was typed behind it."""


def _icd_10(text: str) -> tuple[str, ...]:
    """`c7a012`, `C7A.012!` and `C7A.012 Malignant ...` are all `C7A.012`; a dash for "some child" is dropped."""
    with_words = _ICD_10_WITH_WORDS.match(text)
    code = with_words[1] if with_words else text
    bare = re.sub(r"[\s.]", "", code.upper()).rstrip("†*+!#-")
    return (f"{bare[:_RUBRIC]}.{bare[_RUBRIC:]}" if len(bare) > _RUBRIC else bare,)


def _icd_o(text: str) -> tuple[str, ...]:
    """`82403`, `M8240/3` and `8240/31` are `8240/3`; `8240/3-C17.2` is a morphology and a topography."""
    return tuple(_icd_o_axis(part) for part in re.split(r"[-\s]+(?=C)", text.upper()))


def _icd_o_axis(text: str) -> str:
    if morphology := re.fullmatch(r"(?:M-?)?(\d{4})/?(\d)\d?", text):
        return f"{morphology[1]}/{morphology[2]}"
    topography = re.fullmatch(r"C(\d\d)\.?(\d)", text)
    return f"C{topography[1]}.{topography[2]}" if topography else text


def _icd_o_variants(code: str) -> tuple[str, ...]:
    bare = re.sub(r"[./]", "", code)
    return (
        (code, bare, code.lower())
        if code.startswith("C")
        else (code, bare, f"M{code}", f"M{bare}", f"M-{code}")
    )


def _radlex(text: str) -> tuple[str, ...]:
    return (f"RID{text}" if text.isdecimal() else text.upper(),)


_SPELLINGS: Final[Mapping[str, _Spelling]] = {
    "plain": _Spelling(lambda text: (text,), lambda code: (code,)),
    "upper": _Spelling(lambda text: (text.upper(),), lambda code: (code, code.lower())),
    "radlex": _Spelling(_radlex, lambda code: (code, code.lower(), code.removeprefix("RID"))),
    "icd-10": _Spelling(_icd_10, lambda code: (code, code.replace(".", "")), rubrics=True),
    "icd-10-tree": _Spelling(_icd_10, lambda code: (code, code.replace(".", "")), rubrics=True),
    "icd-o": _Spelling(_icd_o, _icd_o_variants, rubrics=True),
}
"""By the word in `system-aliases.json`. In a tree (WHO ICD-10 and its German child) a code unknown to us
means what its nearest parent means; elsewhere an unknown child means nothing."""


# --- code systems -------------------------------------------------------------------------------------------


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_VALUE_SETS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _code_system(entry: Mapping[str, Any]) -> _CodeSystem:
    borrows = entry.get("borrows")
    return _CodeSystem(
        uri=entry["system"],
        spelling=entry["spelling"],
        aliases=tuple(entry.get("aliases", ())),
        prefixes=tuple(entry.get("prefixes", ())),
        borrows=(borrows["system"], borrows["pattern"]) if borrows else None,
    )


@cache
def _code_systems() -> Mapping[str | None, _CodeSystem]:
    known = (_code_system(entry) for entry in _read("system-aliases")["systems"])
    return {each.uri: each for each in known}


def _code_system_of(uri: str | None) -> _CodeSystem:
    return _code_systems().get(uri) or _CodeSystem(uri, "plain")


def _folded(uri: str) -> str:
    return uri.strip().rstrip("/").casefold().replace("https://", "http://", 1)


def _uri_spellings(uri: str) -> Iterator[str]:
    """The ways records write one URI that are worth finding without thinking."""
    for scheme in ("http", "https"):
        bare = re.sub(r"^https?(?=:)", scheme, uri.rstrip("/"))
        yield from (bare, f"{bare}/", bare.casefold(), bare.upper())


@cache
def _canonical_uris() -> Mapping[str, str]:
    known = (each for each in _code_systems().values() if each.uri is not None)
    return {_folded(name): str(each.uri) for each in known for name in (str(each.uri), *each.aliases)}


@cache
def _uri_prefixes() -> Mapping[str, str]:
    known = _code_systems().values()
    return {prefix: str(each.uri) for each in known for prefix in each.prefixes}


_VERSION_SEGMENT: Final = re.compile(r"/(?:version/)?\d[\w.-]*/?$")
"""What stands behind the URI of a code system where a record sends the version in it (`.../icd-10-cm/2026`)."""
_VERSIONED: Final = re.compile(r"\||/\d")


def normalise_system(uri: str | None) -> str | None:
    """The canonical URI of a code system; an unknown one stays as it is, a blank one is none."""
    if uri is None or not uri.strip():
        return None
    given = uri.strip()
    bare = given.partition("|")[0].strip()
    longer = (known for prefix, known in _uri_prefixes().items() if bare.startswith(prefix))
    versionless = _VERSION_SEGMENT.sub("", bare)
    known = _canonical_uris()
    return known.get(_folded(bare)) or known.get(_folded(versionless)) or next(longer, given)


def normalise_code(system: str | None, code: str | None) -> tuple[str, ...]:
    """The canonical code: two where a string holds ICD-O morphology and topography, none for a blank."""
    if code is None or not code.strip():
        return ()
    return _SPELLINGS[_code_system_of(normalise_system(system)).spelling].canonical(code.strip())


_REMEMBERED = 1 << 16

# --- meanings -----------------------------------------------------------------------------------------------


class Terminology:
    """All value sets at once: what a coding means, what we call it, and which codes have a meaning.

    `meanings(system, code)` gives the ids of the value sets that hold a coding; empty when none does. A coding
    without a system is understood only where its code alone is unmistakable (ICD-10-CM C7A and C7B): a caller who
    finds meanings for one should say so beside its evidence. It is asked for every coding of a chart, and charts
    repeat each other's codes, so the last answers are remembered (codes only, nothing of a patient).
    """

    __slots__ = ("_labels", "_members", "_prefixes", "_tables", "meanings")

    meanings: Callable[[str | None, str | None], frozenset[str]]

    def __init__(self, members: Mapping[str, tuple[Concept, ...]]) -> None:
        self._members = dict(members)
        self._tables = _spelled_systems(_tables(self._members))
        self._labels = _labels(self._members)
        self._prefixes = tuple(_uri_prefixes())
        self.meanings = lru_cache(maxsize=_REMEMBERED)(self._look_up)

    def _look_up(self, system: str | None, code: str | None) -> frozenset[str]:
        table = self._tables.get(system)
        if table is None:
            return self._under_another_name(system, code) if system is not None else NOTHING
        found = table.spelled.get(code)  # type: ignore[arg-type]  # no code is no key: the answer is None
        return table.respelled(code) if found is None else found

    def _under_another_name(self, system: str, code: str | None) -> frozenset[str]:
        is_plain = system.strip() == system and not _VERSIONED.search(system)
        if system and is_plain and not system.startswith(self._prefixes):
            return NOTHING
        canonical = normalise_system(system)
        return NOTHING if canonical not in self._tables else self._look_up(canonical, code)

    def display(self, system: str | None, code: str | None) -> str | None:
        """Our own label for a coding, or nothing when we hold none."""
        uri = normalise_system(system)
        labels = (self._labels.get((uri, canonical)) for canonical in normalise_code(uri, code))
        return ", ".join(label for label in labels if label) or None

    def members(self, value_set_id: str) -> tuple[Concept, ...]:
        """What a value set holds; an unknown id is a KeyError."""
        return self._members[value_set_id]

    def value_set_ids(self) -> frozenset[str]:
        """The ids of all value sets."""
        return frozenset(self._members)

    def with_codes(self, additions: Mapping[str, Iterable[Concept]]) -> Terminology:
        """The same meanings with a site's own codes added; ValueError names value sets that do not exist."""
        if unknown := sorted(set(additions) - set(self._members)):
            raise ValueError(f"no such value set: {', '.join(unknown)}")
        more = {name: (*self._members[name], *concepts) for name, concepts in additions.items()}
        return Terminology({**self._members, **more})


def _tables(members: Mapping[str, tuple[Concept, ...]]) -> dict[str | None, _Table]:
    held: dict[str | None, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, concepts in members.items():
        for concept in concepts:
            held[normalise_system(concept.system)][_canonical_code(concept)].add(name)
    for lender, borrower, pattern in _loans():
        for code in filter(pattern.fullmatch, tuple(held[lender])):
            held[borrower][code] |= held[lender][code]
    return {uri: _table(_code_system_of(uri), codes) for uri, codes in held.items()}


def _canonical_code(concept: Concept) -> str:
    codes = normalise_code(concept.system, concept.code)
    return codes[0] if len(codes) == 1 else concept.code


def _loans() -> Iterator[tuple[str, str | None, re.Pattern[str]]]:
    for each in _code_systems().values():
        if each.borrows:
            yield each.borrows[0], each.uri, re.compile(each.borrows[1])


def _table(system: _CodeSystem, codes: Mapping[str, set[str]]) -> _Table:
    spelling = _SPELLINGS[system.spelling]
    spelled = {way: frozenset(ids) for code, ids in codes.items() for way in spelling.variants(code)}
    rubrics = {way[:_RUBRIC] for way in spelled} if spelling.rubrics else set()
    return _Table(system.uri, system.spelling, spelled, frozenset(rubrics | {way.lower() for way in rubrics}))


def _spelled_systems(tables: Mapping[str | None, _Table]) -> dict[str | None, _Table]:
    """The tables under every way we foresee to write their system."""
    spelled = dict(tables)
    for uri, table in tables.items():
        for name in (uri, *_code_system_of(uri).aliases) if uri else ():
            spelled.update(dict.fromkeys(_uri_spellings(name), table))
    return spelled


def _labels(members: Mapping[str, tuple[Concept, ...]]) -> dict[tuple[str | None, str], str]:
    labels: dict[tuple[str | None, str], str] = {}
    for concept in (each for concepts in members.values() for each in concepts):
        labels.setdefault((normalise_system(concept.system), _canonical_code(concept)), concept.display)
    for lender, borrower, pattern in _loans():
        lent = {key: label for key, label in labels.items() if key[0] == lender and pattern.fullmatch(key[1])}
        labels |= {(borrower, code): label for (_, code), label in lent.items()}
    return labels


def _concepts(value_set: Mapping[str, Any]) -> tuple[Concept, ...]:
    includes = value_set.get("compose", {}).get("include", ())
    return tuple(
        Concept(include["system"], concept["code"], concept["display"])
        for include in includes
        for concept in include["concept"]
    )


@cache
def terminology() -> Terminology:
    """The shipped value sets, read once."""
    paths = (path for path in _VALUE_SETS.iterdir() if path.name.endswith(".json"))
    contents = (_read(path.name.removesuffix(".json")) for path in sorted(paths, key=lambda path: path.name))
    value_sets = (each for each in contents if each.get("resourceType") == "ValueSet")
    return Terminology({each["id"]: _concepts(each) for each in value_sets if each["id"] != _RULE_SET})


# --- what is not a list of codes ----------------------------------------------------------------------------


@cache
def _portal_drainage() -> Mapping[str, str]:
    elements = _read("portal-drainage")["group"][0]["element"]
    return {element["code"]: element["target"][0]["code"] for element in elements}


def portal_class(site: str) -> str:
    """`portal`, `not-portal`, `review` or `unknown` for a site (`ileum`, or its value set `site-ileum`)."""
    return _portal_drainage()[site.removeprefix("site-")]


@cache
def _other_malignancies() -> Mapping[str, tuple[re.Pattern[str], re.Pattern[str]]]:
    compose = _read(_RULE_SET)["compose"]
    rules: dict[str, list[re.Pattern[str]]] = defaultdict(list)
    for part in (*compose["include"], *compose["exclude"]):
        rules[part["system"]].append(re.compile(part["filter"][0]["value"]))
    return {system: (inside, outside) for system, (inside, outside) in rules.items()}


@lru_cache(maxsize=_REMEMBERED)
def is_other_malignancy(system: str | None, code: str | None) -> bool:
    """Whether a coding names a malignancy that may be a second cancer.

    Membership only: outside the United States the rubric of an organ is also how a neuroendocrine tumour is
    coded, so whether this one is the tumour itself is for the reader to decide.
    """
    inside, outside = _other_malignancies().get(normalise_system(system) or "", (None, None))
    if inside is None or outside is None:
        return False
    codes = normalise_code(system, code)
    return any(inside.fullmatch(each) and not outside.fullmatch(each) for each in codes)
