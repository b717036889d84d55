"""The house stands: one total order of modules, each importing only what stands below it, and the walls that bear load."""

import ast
import importlib.util
from pathlib import Path

ORDER = [
    "fhir_mappings.conformance",
    "fhir_mappings.interval",
    "fhir_mappings.labels",
    "fhir_mappings.mending",
    "fhir_mappings.metastasis_words",
    "fhir_mappings.tumour_words",
    "fhir_mappings.quantity",
    "fhir_mappings.reference",
    "fhir_mappings.nodes",
    "fhir_mappings.outcome",
    "fhir_mappings.bundle",
    "fhir_mappings.ownership",
    "fhir_mappings.record",
    "fhir_mappings.added",
    "fhir_mappings.prefetch",
    "fhir_mappings.site_relations",
    "fhir_mappings.valueset",
    "fhir_mappings.questions",
    "fhir_mappings.site_profile",
    "fhir_mappings.when",
    "fhir_mappings.attested",
    "fhir_mappings.facts",
    "fhir_mappings.drafts",
    "fhir_mappings.resource",
    "fhir_mappings.relevance",
    "fhir_mappings.versions",
    "fhir_mappings.answers",
    "fhir_mappings.second_reading",
    "fhir_mappings.chart",
    "fhir_mappings.inputs",
    "fhir_mappings.readers.intent",
    "fhir_mappings.readers.patient",
    "fhir_mappings.readers.presence",
    "fhir_mappings.readers.findings",
    "fhir_mappings.readers.histology",
    "fhir_mappings.readers.conditions",
    "fhir_mappings.readers.care",
    "fhir_mappings.drafted",
    "fhir_mappings.readers.circumstances",
    "fhir_mappings.readers.tumour_links",
    "fhir_mappings.readers.involvement",
    "fhir_mappings.readers.residual",
    "fhir_mappings.readers.site",
    "fhir_mappings.readers.m_category",
    "fhir_mappings.readers.treatment",
    "fhir_mappings.readers.worded",
    "fhir_mappings.readers.worded_tumours",
    "fhir_mappings.readers.extrahepatic_findings",
    "fhir_mappings.readers.extrahepatic",
    "fhir_mappings.readers.liver",
    "fhir_mappings.readers.tumour",
    "fhir_mappings.readers.proliferation",
    "fhir_mappings.mapping",
    "fhir_mappings.written",
    "fhir_mappings.answer_sheet",
    "cds_service.eligibility.course",
    "cds_service.eligibility.verdict",
    "cds_service.eligibility.assessment",
    "cds_service.eligibility.considerations",
    "cds_service.eligibility.headline",
    "cds_service.eligibility.policy",
    "cds_service.eligibility.criterion",
    "cds_service.eligibility.histology",
    "cds_service.eligibility.orders",
    "cds_service.eligibility.rendering",
    "cds_service.eligibility.stability",
    "cds_service.eligibility.extrahepatic",
    "cds_service.eligibility.primary",
    "cds_service.eligibility.criteria",
    "cds_service.eligibility.evaluation",
    "cds_service.addresses",
    "cds_service.ehr.bulkhead",
    "cds_service.ehr.circuit",
    "cds_service.ehr.query_errors",
    "cds_service.ehr.downloads",
    "cds_service.ehr.fhir_pages",
    "cds_service.ehr.reach",
    "cds_service.ehr.connections",
    "cds_service.ehr.exchange",
    "cds_service.errors",
    "cds_service.demo.day",
    "cds_service.hooks.contexts",
    "cds_service.hooks.json_path",
    "cds_service.hooks.occasions",
    "cds_service.hooks.services",
    "cds_service.hooks.openapi",
    "cds_service.hooks.request",
    "cds_service.hooks.text",
    "cds_service.hooks.detail",
    "cds_service.integrator.sheet_text",
    "cds_service.samples",
    "cds_service.demo.store",
    "cds_service.demo.search",
    "cds_service.demo.capability",
    "cds_service.demo.fhir",
    "cds_service.security.signing_keys",
    "cds_service.integrator.keys",
    "cds_service.settings",
    "cds_service.parameters",
    "cds_service.smart.memory",
    "cds_service.smart.problems",
    "cds_service.storage.database",
    "cds_service.storage.migrations.versions.r0001_cards_feedback_replay",
    "cds_service.storage.migrations.versions.r0002_sealed",
    "cds_service.storage.migrations.versions.r0003_card_withheld",
    "cds_service.storage.pseudonyms",
    "cds_service.storage.schema",
    "cds_service.storage.statements",
    "cds_service.storage.tables",
    "cds_service.storage.comments",
    "cds_service.storage.migrations.env",
    "cds_service.storage.retention",
    "cds_service.storage.ledger",
    "cds_service.storage.replay",
    "cds_service.storage.safe",
    "cds_service.smart.app_context",
    "cds_service.storage.opening",
    "cds_service.integrator.database",
    "cds_service.storage.tally",
    "cds_service.tenants",
    "cds_service.advisor",
    "cds_service.ehr.fhir_client",
    "cds_service.hooks.dialects",
    "cds_service.hooks.prefetch",
    "cds_service.hooks.files",
    "cds_service.hooks.suggestions",
    "cds_service.hooks.cards",
    "cds_service.hooks.fatigue",
    "cds_service.hooks.feedback",
    "cds_service.hooks.journey",
    "cds_service.integrator.trials",
    "cds_service.security.key_sets",
    "cds_service.security.tokens",
    "cds_service.security.gate",
    "cds_service.hooks.routes",
    "cds_service.smart.client_key",
    "cds_service.smart.errands",
    "cds_service.smart.discovery",
    "cds_service.smart.identity",
    "cds_service.smart.issuer_keys",
    "cds_service.smart.oauth",
    "cds_service.smart.scopes",
    "cds_service.integrator.check_config",
    "cds_service.smart.sessions",
    "cds_service.smart.chart",
    "cds_service.smart.forgery",
    "cds_service.smart.pending_forms",
    "cds_service.smart.token_answer",
    "cds_service.smart.launching",
    "cds_service.smart.cookies",
    "cds_service.smart.write_back",
    "cds_service.terminal",
    "cds_service.integrator.feedback_report",
    "cds_service.integrator.replies",
    "cds_service.integrator.replay",
    "cds_service.web.demo_drafts",
    "cds_service.web.demo_fhir_text",
    "cds_service.web.demo_charts",
    "cds_service.web.evidence",
    "cds_service.web.literature",
    "cds_service.web.markdown",
    "cds_service.web.pages",
    "cds_service.smart.routes",
    "cds_service.web.plausibility",
    "cds_service.web.reading",
    "cds_service.web.patient",
    "cds_service.web.demo_patients",
    "cds_service.web.recorded",
    "cds_service.web.asked",
    "cds_service.web.questionnaire",
    "cds_service.web.timeline",
    "cds_service.web.drawing",
    "cds_service.web.typed",
    "cds_service.web.answers",
    "cds_service.web.attested",
    "cds_service.web.form",
    "cds_service.web.answering",
    "cds_service.web.view",
    "cds_service.web.demo_box",
    "cds_service.web.demo",
    "cds_service.web.launched",
    "cds_service.app",
    "cds_service.integrator.build_sheet",
    "cds_service.cli",
    "cds_service.wsgi",
]


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _modules() -> dict[str, Path]:
    """Every module of both packages; a package itself is only a docstring."""
    found = {}
    for package in ("fhir_mappings", "cds_service"):
        folder = _folder(package)
        for path in folder.rglob("*.py"):
            if path.name != "__init__.py":
                parts = path.relative_to(folder).with_suffix("").parts
                found[".".join((package, *parts))] = path
    return found


def _imports(path: Path) -> set[str]:
    """The modules of the house that a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names & _modules().keys()


def test_every_module_has_its_place_in_the_order() -> None:
    assert sorted(ORDER) == sorted(_modules())


def test_a_module_imports_only_what_stands_below_it() -> None:
    for name, path in _modules().items():
        above = {other for other in _imports(path) if ORDER.index(other) >= ORDER.index(name)}
        assert not above, f"{name} imports {above}"


def test_what_reads_knows_nothing_of_the_service() -> None:
    for name, path in _modules().items():
        if name.startswith("fhir_mappings."):
            assert not {other for other in _imports(path) if other.startswith("cds_service")}, name


def test_what_decides_sees_of_the_reading_only_facts_and_what_they_are_made_of() -> None:
    vocabulary = {"fhir_mappings.facts", "fhir_mappings.interval", "fhir_mappings.when"}
    for name, path in _modules().items():
        if name.startswith("cds_service.eligibility."):
            allowed = vocabulary | {
                other for other in _modules() if other.startswith("cds_service.eligibility.")
            }
            assert _imports(path) <= allowed, name


def test_nothing_that_reads_or_decides_asks_the_clock() -> None:
    for name, path in _modules().items():
        if not name.startswith(("fhir_mappings.", "cds_service.eligibility.")):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            asks = isinstance(node, ast.Attribute) and node.attr in (
                "today",
                "now",
                "utcnow",
                "time",
                "localtime",
            )
            assert not asks, f"{name}, line {getattr(node, 'lineno', 0)}"


def test_what_decides_opens_no_file_but_its_policies() -> None:
    for name, path in _modules().items():
        if name.startswith("cds_service.eligibility.") and name != "cds_service.eligibility.policy":
            calls = {
                node.func.id
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert not calls & {"open", "files", "print", "input"}, name


def test_fhir_resources_is_imported_where_fhir_is_read_and_nowhere_else() -> None:
    homes = {"fhir_mappings.conformance", "fhir_mappings.drafts", "fhir_mappings.written"}
    using = {name for name, path in _modules().items() if "from fhir.resources" in path.read_text("utf-8")}
    assert using == homes


def test_pydantic_checks_fhir_and_configuration_and_nothing_on_the_way_of_a_request() -> None:
    homes = {"fhir_mappings.conformance", "cds_service.tenants", "cds_service.settings"}
    libraries = ("import pydantic", "from pydantic")
    using = {
        name
        for name, path in _modules().items()
        if any(text in path.read_text("utf-8") for text in libraries)
    }
    assert using == homes


def test_facts_stand_on_the_standard_library_and_the_interval_vocabulary() -> None:
    paths = _modules()
    for name in ("fhir_mappings.facts", "fhir_mappings.interval", "fhir_mappings.when"):
        text = paths[name].read_text("utf-8")
        assert not any(library in text for library in ("msgspec", "orjson", "import fhir.", "from fhir."))
    assert _imports(paths["fhir_mappings.facts"]) == {"fhir_mappings.interval", "fhir_mappings.when"}


def test_a_package_file_is_a_docstring() -> None:
    for package in ("fhir_mappings", "cds_service"):
        for path in _folder(package).rglob("__init__.py"):
            body = ast.parse(path.read_text("utf-8")).body
            assert [type(item) for item in body] == [ast.Expr], path.name


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "common", "core", "helpers", "helper", "manager", "misc"}
    assert not {name for name in _modules() if name.rsplit(".", 1)[-1] in empty}
