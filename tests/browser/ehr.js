// Plays the part of an EHR that runs in a browser: discovery, prefetch, a card, a suggestion, an override, feedback.
//
// The address says who plays: ?service=<discovery address>&patient=<id>&user=<Type/id>, and &signed where calls need tokens.

const asked = new URLSearchParams(location.search);
const discovery = asked.get('service');
const context = { patientId: asked.get('patient'), userId: asked.get('user') };
const status = document.getElementById('status');
let service;

async function call(address, body) {
  const headers = { 'Content-Type': 'application/json' }; // also on GET, so that every call has a preflight
  if (asked.has('signed')) {
    const token = await fetch(`token?audience=${encodeURIComponent(address)}`);
    headers.Authorization = `Bearer ${await token.text()}`;
  }
  const response = await fetch(address, body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers });
  if (!response.ok) {
    throw new Error(`status ${response.status}`);
  }
  const text = await response.text();
  return text ? JSON.parse(text) : undefined;
}

async function discover() {
  const { services } = await call(discovery);
  service = services.find((item) => item.hook === 'patient-view');
  return `${services.length} services`;
}

async function prefetched(template) {
  const query = template.replaceAll(/{{context\.(\w+)}}/g, (_, name) => context[name]);
  const resource = await (await fetch(`fhir/${query}`)).json();
  return resource.total === 0 ? null : resource;
}

async function openChart() {
  const keys = Object.entries(service.prefetch);
  const values = await Promise.all(keys.map(async ([key, template]) => [key, await prefetched(template)]));
  const { cards } = await call(`${discovery}/${service.id}`, {
    hook: service.hook,
    hookInstance: crypto.randomUUID(),
    context,
    prefetch: Object.fromEntries(values),
  });
  document.getElementById('cards').replaceChildren(...cards.map(drawn));
  return `${cards.length} cards`;
}

function made(name, text, more = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...more });
}

function drawn(card) {
  const article = made('article', '', { className: card.indicator });
  article.append(made('h2', card.summary), made('p', card.source.label), made('pre', card.detail));
  for (const suggestion of card.suggestions ?? []) {
    const take = made('button', suggestion.label, { className: 'suggestion' });
    take.onclick = () => run(() => accept(card, suggestion));
    article.append(take);
  }
  const reasons = made('select', '', { ariaLabel: 'Reason' });
  reasons.append(...card.overrideReasons.map((reason, number) => made('option', reason.display, { value: number })));
  const dismissal = made('button', 'Dismiss');
  dismissal.onclick = () => run(() => dismiss(card, card.overrideReasons[reasons.value], article));
  article.append(reasons, dismissal);
  return article;
}

async function accept(card, suggestion) {
  const orders = suggestion.actions.map((action) => made('li', `${action.resource.status}: ${action.description}`));
  document.getElementById('orders').append(...orders);
  await report({ card: card.uuid, outcome: 'accepted', acceptedSuggestions: [{ id: suggestion.uuid }] });
  return 'accepted';
}

async function dismiss(card, { code, system }, article) {
  article.remove();
  await report({ card: card.uuid, outcome: 'overridden', overrideReason: { reason: { code, system } } });
  return 'dismissed';
}

function report(entry) {
  const outcomeTimestamp = new Date().toISOString();
  return call(`${discovery}/${service.id}/feedback`, { feedback: [{ ...entry, outcomeTimestamp }] });
}

async function run(act) {
  status.textContent = 'working';
  try {
    status.textContent = await act();
  } catch (error) {
    status.textContent = `failed: ${error.message}`;
  }
}

document.getElementById('patient').textContent = context.patientId;
document.getElementById('user').textContent = context.userId;
document.getElementById('open').onclick = () => run(openChart);
await run(discover);
