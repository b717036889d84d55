"""Holds what we write ourselves against FHIR R4, in full, before anybody sees it: a mistake in it is ours and raises."""

from collections.abc import Mapping
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.procedure import Procedure
from fhir.resources.R4B.questionnaire import Questionnaire
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

Json = dict[str, Any]

_MODELS = {
    model.__name__: model
    for model in (Bundle, Condition, Observation, Procedure, Questionnaire, QuestionnaireResponse)
}


def valid(resource: Mapping[str, Any]) -> Json:
    """The resource, once it has passed; ValueError names what is wrong with it."""
    _MODELS[resource["resourceType"]].model_validate(resource)
    return dict(resource)
