// Calls a CDS service with Medplum's own client, which fetches the prefetch from a FHIR server beside it.
//
// In: {base, fhirPath, patient, practitioner}. Out: the services, the request, the cards (also for null where nothing was
// found, which is how Medplum's own resolver says so) and what every call asked for and got.

import { buildCdsRequest, MedplumClient } from '@medplum/core';
import { readFileSync } from 'node:fs';

const { base, fhirPath, patient, practitioner } = JSON.parse(readFileSync(0, 'utf8'));
const calls = [];

async function noted(url, options) {
  const response = await fetch(url, options);
  const { accept, 'content-type': contentType } = Object.fromEntries(new Headers(options.headers));
  const path = new URL(url).pathname;
  calls.push({ method: options.method, path, accept, contentType, status: response.status });
  return response;
}

const medplum = new MedplumClient({ baseUrl: base, fhirUrlPath: fhirPath, fetch: noted });
const { services } = await medplum.getCdsServices();
const service = services.find((item) => item.hook === 'patient-view');
const user = { resourceType: 'Practitioner', id: practitioner };
const context = { userId: `Practitioner/${practitioner}`, patientId: patient };
const request = await buildCdsRequest(medplum, user, service, context);
const { cards } = await medplum.callCdsService(service.id, request);

const nullIfEmpty = ([key, value]) => [key, value?.total === 0 ? null : value];
const withNulls = { ...request, prefetch: Object.fromEntries(Object.entries(request.prefetch).map(nullIfEmpty)) };
const { cards: cardsWithNulls } = await medplum.callCdsService(service.id, withNulls);

process.stdout.write(JSON.stringify({ services, request, withNulls, cards, cardsWithNulls, calls }));
