// The EHR of the demonstration: it calls the service as an EHR does and shows the cards. A module, no dependency.
// Nothing that comes from anywhere is ever parsed as HTML into the page: elements are built one by one, text is text.

const byId = (id) => document.getElementById(id);

/** An element with attributes, properties and children; children that are strings become text. */
function make(tag, settings = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name === "on") Object.entries(value).forEach(([event, does]) => node.addEventListener(event, does));
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
  return node;
}

const say = (text) => { byId("said").textContent = text; };
const isWeb = (address) => { try { return /^https?:$/.test(new URL(address).protocol); } catch { return false; } };

// --- Markdown -------------------------------------------------------------------------------------------------------

const KNOWN = new Set(["P", "UL", "OL", "LI", "STRONG", "EM", "S", "DEL", "CODE", "PRE", "BLOCKQUOTE", "HR", "BR",
  "H1", "H2", "H3", "H4", "H5", "H6", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD", "A"]);
const SHORT = 10; // characters of a cell that stay on one line: a date, an answer
const LEVELS = { H1: "H4", H2: "H4", H3: "H4" }; // below the heading of the card

/** A copy of parsed nodes made of known elements without attributes; whatever else it was leaves its text. */
function copied(node) {
  if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(node.data)];
  if (node.nodeType !== Node.ELEMENT_NODE) return [];
  const children = [...node.childNodes].flatMap(copied);
  if (!KNOWN.has(node.tagName)) return ["SCRIPT", "STYLE", "TEMPLATE"].includes(node.tagName) ? [] : children;
  const copy = document.createElement(LEVELS[node.tagName] ?? node.tagName);
  if (node.tagName === "A" && isWeb(node.getAttribute("href"))) outside(copy, node.getAttribute("href"));
  if (node.tagName === "TH") copy.setAttribute("scope", "col");
  if (["TH", "TD"].includes(node.tagName) && node.textContent.length <= SHORT) copy.className = "nowrap";
  copy.append(...children);
  return [copy];
}

function outside(link, address) {
  link.setAttribute("href", address);
  link.setAttribute("rel", "noopener noreferrer");
  link.setAttribute("target", "_blank");
  return link;
}

/** Markdown as nodes: rendered by the server without raw HTML, then rebuilt from known elements. */
async function markdown(text, place) {
  const answer = await fetch(place, { method: "POST", headers: { "Content-Type": "text/markdown" }, body: text });
  if (!answer.ok) return [make("p", { class: "demo-plain" }, text)];
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  return [...parsed.body.childNodes].flatMap(copied);
}

// --- calling --------------------------------------------------------------------------------------------------------

const MOST_PAGES = 50;

/** One exchange with a server, kept to be shown: what was sent, what came back. */
async function exchange(method, path, body, headers = {}) {
  const sent = { method, path, headers: { "Content-Type": "application/json", ...headers }, body };
  const started = performance.now();
  const answer = await fetch(path, { method, headers: sent.headers, body: JSON.stringify(body) });
  const text = await answer.text();
  let content = null;
  try { content = JSON.parse(text); } catch { /* an answer without JSON is shown as it is */ }
  const milliseconds = Math.round(performance.now() - started);
  return { sent, status: answer.status, ok: answer.ok, headers: answer.headers, text, content, milliseconds };
}

/** The answer to one prefetch template, all pages of it; undefined where it failed, so that the key is left out. */
async function asked(base, template, patient) {
  const answer = await fetch(`${base}/${template.replaceAll("{{context.patientId}}", encodeURIComponent(patient))}`);
  if (!answer.ok) return undefined;
  const first = await answer.json();
  let page = first;
  for (let count = 1; count < MOST_PAGES && next(page); count += 1) {
    page = await (await fetch(next(page))).json();
    first.entry.push(...(page.entry ?? []));
  }
  if (first.link) first.link = first.link.filter((link) => link.relation !== "next");
  return first;
}

const next = (page) => page.link?.find((link) => link.relation === "next")?.url;

/** The prefetch that a service asks for in discovery. */
async function prefetched(service, base, patient) {
  const templates = Object.entries(service.prefetch ?? {});
  const answers = await Promise.all(templates.map(([, template]) => asked(base, template, patient)));
  return Object.fromEntries(templates.map(([key], index) => [key, answers[index]]).filter(([, answer]) => answer));
}

async function discovered() {
  const answer = await fetch("/cds-services");
  if (!answer.ok) throw new Error("discovery");
  return (await answer.json()).services;
}

// --- the chart page -------------------------------------------------------------------------------------------------

function chartPage(form) {
  const { patient, fhir, header, catalogue: catalogueAt, markdown: markdownAt } = form.dataset;
  const base = new URL(fhir, location.origin).href;
  const advice = byId("advice");
  const drafts = []; // the draft orders of this visit
  let services, catalogue, turn = 0;

  const chosen = (list, id) => list.find((item) => item.id === byId(id).value);

  // What the hook tells of the moment.
  function context(hook) {
    const common = { userId: byId("user").value, patientId: patient };
    const on = byId("on").value;
    if (hook === "encounter-start") return { ...common, encounterId: `${patient}-visit` };
    if (hook === "problem-list-item-create") return { ...common, conditions: bundle([problem()]) };
    if (hook === "appointment-book") return { ...common, appointments: bundle([appointment(on)]) };
    if (!hook.startsWith("order-")) return common;
    const draftOrders = bundle(drafts.map((draft) => draft.resource));
    const last = drafts.at(-1)?.resource;
    return hook === "order-sign" ? { ...common, draftOrders }
      : { ...common, selections: last ? [`${last.resourceType}/${last.id}`] : [], draftOrders };
  }

  const bundle = (resources) => ({ resourceType: "Bundle", type: "collection", entry: resources.map((resource) => ({ resource })) });
  const subject = { reference: `Patient/${patient}` };

  function problem() {
    const verified = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/condition-ver-status", code: "confirmed" }] };
    const active = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/condition-clinical", code: "active" }] };
    return { ...chosen(catalogue.problems, "problem").resource, id: crypto.randomUUID(), clinicalStatus: active, verificationStatus: verified, subject };
  }

  const appointment = (on) => ({ resourceType: "Appointment", id: crypto.randomUUID(), status: "proposed", start: `${on}T09:00:00Z`,
    participant: [{ actor: subject, status: "accepted" }] });

  function addChosenOrder() {
    const choice = chosen(catalogue.orders, "order");
    const known = drafts.findIndex((draft) => draft.choice === choice.id);
    const draft = known < 0 ? { choice: choice.id, label: choice.label,
      resource: { ...choice.resource, id: crypto.randomUUID(), status: "draft", intent: "order", subject } } : drafts.splice(known, 1)[0];
    drafts.push(draft); // the one that is chosen is the last
    showDrafts();
  }

  function showDrafts() {
    byId("no-orders").hidden = drafts.length > 0;
    byId("orders").replaceChildren(...drafts.map((draft) => make("li", {},
      make("span", {}, draft.label, " ", make("span", { class: "badge" }, "draft"), draft.from ? make("span", { class: "muted small" }, ` ${draft.from}`) : ""),
      make("button", { type: "button", class: "button--small button--quiet", "aria-label": `Remove: ${draft.label}`,
        on: { click: () => { drafts.splice(drafts.indexOf(draft), 1); showDrafts(); say("The draft order was removed."); } } }, "Remove"))));
  }

  // One call, from the moment to the cards. A call that was overtaken by another shows nothing.
  async function ask() {
    const mine = turn += 1;
    const hook = byId("hook").value;
    remember();
    const page = new URL(byId("assessment").href); // it reads what the call tells: the chart, and a problem that is being added
    if (hook === "problem-list-item-create") page.searchParams.set("problem", byId("problem").value);
    advice.replaceChildren(make("p", { class: "notice demo-waiting" }, "Asking the service …"));
    try {
      services ??= await discovered();
      catalogue ??= await (await fetch(catalogueAt)).json();
      if (hook.startsWith("order-")) addChosenOrder();
      const service = services.find((item) => item.hook === hook);
      const body = { hook, hookInstance: crypto.randomUUID(), fhirServer: base, context: context(hook), prefetch: await prefetched(service, base, patient) };
      const found = await exchange("POST", `/cds-services/${encodeURIComponent(service.id)}`, body, { [header]: byId("on").value });
      if (mine === turn) await show(found, service, page.href);
    } catch {
      if (mine === turn) fail("The service does not answer. Is the demonstration still running?");
    }
  }

  function fail(text) {
    advice.replaceChildren(make("div", { class: "notice notice--error" }, make("p", {}, make("strong", {}, text)),
      make("p", {}, make("button", { type: "button", on: { click: ask } }, "Ask once more"))));
    say(text);
  }

  async function show(found, service, page) {
    showExchange(found);
    if (!found.ok) return fail(`The service answered ${found.status}: ${found.content?.issue?.[0]?.diagnostics ?? "without saying why"}`);
    const cards = found.content?.cards ?? [];
    const shown = await Promise.all(cards.map((card) => cardOf(card, service, page)));
    advice.replaceChildren(...(shown.length ? shown : [silence(found)]));
    say(shown.length ? cards.map((card) => card.summary).join(". ") : "The service gave no card.");
  }

  // No card is an answer too. Why is told by the demonstration alone: an EHR only sees that there is none.
  function silence(found) {
    const verdict = found.headers.get("X-Milan-NET-Demo-Verdict");
    const withheld = found.headers.get("X-Milan-NET-Demo-Withheld");
    const [title, text] = withheld ? ["The card stays away", WITHHELD[withheld] ?? withheld]
      : !verdict ? ["No card", "Nothing in this call concerns the service: it did not even read the chart."]
      : verdict === "not-applicable" ? ["No card", "The criteria do not concern this patient on this day. The assessment page says why."]
      : ["No card", `What is being done agrees with what is recorded (${verdict.replaceAll("-", " ")}), so there is nothing worth a word here.`];
    return make("div", { class: `notice ${withheld ? "notice--info" : ""}` }, make("p", {}, make("strong", {}, title), `: ${text}`),
      make("p", { class: "small muted" }, `Answered in ${found.milliseconds} ms. An EHR shows nothing at all; the demonstration says why.`));
  }

  const WITHHELD = {
    "overridden-by-clinician": "you have set this advice aside with a reason. It comes back when the recorded facts change, or after 90 days. Ask as the other clinician to see it again.",
    "overridden-for-patient": "it was set aside with a reason that speaks of the patient, so it stays away for every clinician until the recorded facts change, or for 90 days.",
    "silent-verdict": "this site does not want cards of this kind.",
  };

  // --- one card -----------------------------------------------------------------------------------------------------

  const INDICATORS = { info: ["i", "Information"], warning: ["!", "Warning"], critical: ["‼", "Critical"] };

  async function cardOf(card, service, page) {
    const [mark, word] = INDICATORS[card.indicator] ?? INDICATORS.info;
    const title = `card-${card.uuid}`;
    const article = make("article", { class: `card card--${card.indicator in INDICATORS ? card.indicator : "info"}`, "aria-labelledby": title });
    article.append(
      make("p", { class: "card-indicator" }, make("span", { class: "demo-indicator", "aria-hidden": "true" }, mark), ` ${word}`),
      make("h3", { class: "card-summary", id: title }, card.summary),
      make("p", { class: "card-source" }, "Source: ", sourceOf(card.source)),
      ...linksOf([...(card.links ?? []), { label: "Open the assessment", url: page, type: "absolute" }]),
      ...suggestionsOf(card, service),
      dismissalOf(card, service, article),
      ...(card.detail ? [detailOf(await markdown(card.detail, markdownAt))] : []));
    return article;
  }

  const sourceOf = (source) => isWeb(source.url) ? outside(make("a", {}, source.label), source.url) : source.label;

  // A card is read in a narrow column: what follows its first section is shown as far as it is short.
  function detailOf(nodes) {
    const starts = nodes.flatMap((node, index) => (node.tagName === "H4" ? [index] : []));
    const length = (start, end) => nodes.slice(start, end).reduce((sum, node) => sum + node.textContent.length, 0);
    const cut = starts.find((start, section) => section > 1 && length(starts[1], starts[section + 1]) > ROOM) ?? nodes.length;
    const rest = nodes.slice(cut);
    return make("div", { class: "card-detail" }, ...nodes.slice(0, cut).map(scrolling),
      rest.length ? make("details", { class: "demo-more" }, make("summary", {}, "The rest of the card"), ...rest.map(scrolling)) : "");
  }

  const ROOM = 900; // characters
  const scrolling = (node) => node.tagName === "TABLE"
    ? make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the card" }, node) : node;

  function linksOf(links) {
    return [make("p", { class: "card-links" }, ...links.map((link) => link.type === "smart" || !isWeb(link.url)
      ? make("span", { class: "badge" }, `${link.label} (opens through SMART in an EHR)`)
      : outside(make("a", { class: "button button--small" }, link.label), link.url)))];
  }

  function suggestionsOf(card, service) {
    if (!card.suggestions?.length) return [];
    return [make("ul", { class: "bare demo-suggestions", "aria-label": "Suggestions" }, ...card.suggestions.map((suggestion) => {
      const done = make("span", { class: "small", role: "status" });
      const button = make("button", { type: "button", class: `button--small ${suggestion.isRecommended ? "button--primary" : ""}`,
        on: { click: () => accept(card, service, suggestion, button, done) } }, "Accept");
      return make("li", {}, make("span", { class: "demo-suggestion" }, suggestion.label,
        suggestion.isRecommended ? make("span", { class: "badge" }, "recommended") : "",
        make("span", { class: "hint" }, suggestion.actions?.[0]?.description ?? "")), button, done);
    }))];
  }

  async function accept(card, service, suggestion, button, done) {
    button.disabled = true;
    for (const action of suggestion.actions ?? []) {
      if (action.type === "create" && action.resource) drafts.push({ label: action.resource.code?.text ?? suggestion.label, from: "from a card", resource: action.resource });
    }
    showDrafts();
    const sent = await feedback(service, { card: card.uuid, outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] });
    button.textContent = "Accepted";
    done.textContent = sent ? "✓ Draft order created below; feedback sent" : "✓ Draft order created below; feedback could not be sent";
  }

  function dismissalOf(card, service, article) {
    const reasons = card.overrideReasons ?? [];
    const name = `reason-${card.uuid}`;
    const comment = make("input", { type: "text", id: `comment-${card.uuid}`, maxlength: "500", autocomplete: "off" });
    const form = make("form", {},
      make("fieldset", {}, make("legend", {}, "Why is it set aside?"), ...reasons.map((reason, index) =>
        make("label", { class: "demo-reason" }, make("input", { type: "radio", name, value: String(index), required: true }), reason.display ?? reason.code))),
      make("div", { class: "field" }, make("label", { for: comment.id }, "Comment"), comment),
      make("button", { type: "submit", class: "button--small" }, "Dismiss the card"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const reason = reasons[Number(new FormData(form).get(name))];
      const coding = reason && { code: reason.code, system: reason.system };
      const sent = await feedback(service, { card: card.uuid, outcome: "overridden",
        ...(coding ? { overrideReason: { reason: coding, ...(comment.value ? { userComment: comment.value } : {}) } } : {}) });
      article.replaceWith(dismissed(reason, sent));
    });
    return make("details", { class: "demo-dismiss" }, make("summary", {}, "Dismiss …"), form);
  }

  function dismissed(reason, sent) {
    const again = make("button", { type: "button", on: { click: ask } }, "Ask once more");
    const text = `Dismissed${reason ? `: ${reason.display ?? reason.code}` : ""}. ${sent ? "The service was told." : "The service could not be told."}`;
    say(text);
    queueMicrotask(() => again.focus());
    return make("div", { class: "notice" }, make("p", {}, make("strong", {}, text)), make("p", {}, "Ask once more, and see that the card stays away. ", again));
  }

  async function feedback(service, entry) {
    const body = { feedback: [{ ...entry, outcomeTimestamp: new Date().toISOString() }] };
    try {
      const found = await exchange("POST", `/cds-services/${encodeURIComponent(service.id)}/feedback`, body);
      byId("exchanged").append(...written("Feedback", found));
      return found.ok;
    } catch {
      return false;
    }
  }

  // --- what went over the line --------------------------------------------------------------------------------------

  const showExchange = (found) => byId("exchanged").replaceChildren(...written("Call", found));

  function written(title, found) {
    const { sent } = found;
    const headers = Object.entries(sent.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
    const answer = found.content === null ? found.text || "(no body)" : JSON.stringify(found.content, null, 2);
    return [...block(`${title}: request`, `${sent.method} ${sent.path}\n${headers}\n`, JSON.stringify(sent.body, null, 2)),
      ...block(`${title}: response`, `${found.status} in ${found.milliseconds} ms\n`, answer)];
  }

  function block(title, head, body) {
    const told = make("span", { class: "small", role: "status" });
    const copy = make("button", { type: "button", class: "button--small", "aria-label": `Copy the JSON of ${title}`, on: { click: async () => {
      try { await navigator.clipboard.writeText(body); told.textContent = "copied"; } catch { getSelection().selectAllChildren(text); told.textContent = "selected: copy it with the keyboard"; }
    } } }, "Copy");
    const text = make("pre", { class: "raw", tabindex: "0", role: "region", "aria-label": title }, body);
    return [make("div", { class: "demo-raw-head" }, make("h3", {}, title), copy, told), make("p", { class: "demo-plain reference muted" }, head.trim()), text];
  }

  // --- the form -----------------------------------------------------------------------------------------------------

  function fit() {
    const hook = byId("hook").value;
    for (const field of form.querySelectorAll("[data-for]")) field.hidden = !field.dataset.for.split(" ").includes(hook);
  }

  function remember() {
    const on = byId("on").value;
    for (const [address, set] of [[location.href, (url) => history.replaceState(null, "", url)], [byId("assessment").href, (url) => { byId("assessment").href = url; }]]) {
      const url = new URL(address);
      url.searchParams.set("on", on);
      set(url.href);
    }
  }

  byId("hook").addEventListener("change", fit);
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  fit();
  showDrafts();
  ask();
}

// --- the patient list -----------------------------------------------------------------------------------------------

function listPage(field) {
  const rows = [...document.querySelectorAll("tr[data-searched]")];
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => row.dataset.searched.includes(word));
    for (const group of document.querySelectorAll(".demo-patients tbody")) {
      const left = group.querySelectorAll("tr[data-searched]:not([hidden])").length, number = group.querySelector(".demo-number");
      group.hidden = !left;
      if (number) number.textContent = left;
    }
    const count = rows.filter((row) => !row.hidden).length;
    if (rows.length) { byId("listed").hidden = !count; byId("nobody").hidden = count > 0; }
    byId("count").textContent = `${count} of these patients ${count === 1 ? "matches" : "match"}`;
  });
}

// --- the box --------------------------------------------------------------------------------------------------------

function boxPage(form) {
  const drop = byId("drop"), file = byId("file"), told = byId("dropped");
  const largest = Number(form.dataset.largest);
  const size = (bytes) => (bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`);
  const mistake = () => {
    const chosen = file.files[0];
    const bytes = chosen ? chosen.size : new Blob([byId("text").value]).size;
    return bytes > largest ? `That is ${size(bytes)}, and the box reads up to ${size(largest)}.` : "";
  };
  const tell = () => {
    const chosen = file.files[0];
    file.setCustomValidity(mistake());
    told.textContent = mistake() || (chosen ? `${chosen.name}, ${size(chosen.size)}: it is assessed, and not what stands in the box above.` : "");
  };
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.dataset.over = ""; });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => { delete drop.dataset.over; });
  drop.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return; // dropped text goes where the browser puts it
    event.preventDefault();
    file.files = event.dataTransfer.files;
    tell();
  });
  file.addEventListener("change", tell);
  byId("text").addEventListener("input", tell);
}

document.documentElement.dataset.scripted = "";
if (byId("moment")) chartPage(byId("moment"));
if (byId("count") && byId("q")) listPage(byId("q"));
if (byId("box")) boxPage(byId("box"));
