// The page: what stands where, and what happens on a click.

const history_ = unpack(JSON.parse(document.getElementById('data').textContent));
const $ = (id) => document.getElementById(id);
const reduce = window.matchMedia('(prefers-color-scheme: dark)');

const page = {
  order: 0,
  show: {
    axis: history_.timed ? 'time' : 'events', only: false, failed: true, keys: null, process: NONE, selected: NONE, edge: NONE,
    evidence: evidence_of(history_), edges: history_.answer === 'no' ? history_.edges : [], numbers: new Map(), points: new Map(),
  },
};

// ---- the head ----

function write_head() {
  const h = history_;
  document.title = `${h.name}: ${h.level} ${h.answer}`;
  $('verdict').className = h.answer;
  $('verdict').append(el('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[h.answer] ?? '?'), el('h1', {}, verdict_sentence(h)));
  const facts = [visible(h.name), `${h.total.toLocaleString('en')} operations of ${h.processes.length} process${h.processes.length === 1 ? '' : 'es'}${h.lanes.length < h.processes.length ? ` (${h.lanes.length} clients)` : ''}`,
    `${h.level}: ${h.level_line}`, `model ${h.model}: ${h.model_line}`];
  const show_evidence = page.show.evidence.size > 0;
  if (h.count < h.total) facts.push(`${h.count.toLocaleString('en')} of them are on this page, ${show_evidence ? 'around the contradiction' : 'the first ones'}`);
  facts.push(...h.basis.split('\n').filter((line) => line !== '').map((line) => shortened(visible(line), 400)));
  if (!h.real_time) facts.push('the file tells sessions only: left and right mean nothing across processes');
  const list = el('ul', {});
  for (const fact of facts) list.append(el('li', {}, fact));
  $('facts').append(list);
  for (const anomaly of h.anomalies) $('facts').append(el('span', { class: 'anomaly' }, anomaly));
  const said = visible(h.text).replace(/:\s*$/, '');
  if (said !== '') $('facts').append(long_text('p', said, 300));
}

/** A text whose middle is left out until it is asked for. */
function long_text(name, text, max) {
  const element = el(name, { class: 'said' }, shortened(text, max));
  if (text.length > max)
    element.append(' ', el('button', { type: 'button', class: 'more', onclick: () => element.replaceChildren(text) }, `all ${text.length.toLocaleString('en')} characters`));
  return element;
}

// ---- the toolbar ----

function write_tools() {
  const { show } = page;
  const button = (text, title, onclick) => el('button', { type: 'button', title, onclick }, text);
  const toggle = (text, title, of, change) => {
    const element = el('button', { type: 'button', title, 'aria-pressed': String(of()), onclick: () => change() }, text);
    toggles.push(() => element.setAttribute('aria-pressed', String(of())));
    return element;
  };
  const tools = $('tools');
  if (show.evidence.size > 0) {
    tools.append(
      toggle(`only these ${show.evidence.size}`, 'only the operations of the contradiction', () => show.only, () => { show.only = true; changed(true); }),
      toggle('all', 'all operations, these among them', () => !show.only, () => { show.only = false; changed(true); }),
      button('go to the contradiction', 'c', go_to_evidence), el('span', { class: 'gap' }));
  }
  tools.append(button('−', 'zoom out (-)', () => timeline.zoom(1 / 0.6)), button('+', 'zoom in (+)', () => timeline.zoom(0.6)), button('◂', 'to the left (←)', () => timeline.pan(-0.4)),
    button('▸', 'to the right (→)', () => timeline.pan(0.4)), button('whole', 'the whole history (0)', () => timeline.all()), el('span', { class: 'gap' }));
  if (history_.timed)
    tools.append(toggle('time', 'the axis shows time', () => show.axis === 'time', () => set_axis('time')), toggle('events', 'the axis shows the order of events', () => show.axis === 'events', () => set_axis('events')));
  if (history_.ops.outcome.some((outcome) => outcome === FAILED))
    tools.append(toggle('failed', 'operations that did not happen', () => show.failed, () => { show.failed = !show.failed; changed(false); }));
}

const toggles = [];

function set_axis(axis) {
  const seen = timeline.in_order().filter((op) => timeline.begin_of(op) >= timeline.view.from && timeline.begin_of(op) <= timeline.view.to);
  page.show.axis = axis;
  timeline.choose();
  timeline.all();
  if (seen.length > 0 && seen.length < timeline.shown) timeline.reveal([seen[0], seen[seen.length - 1]]);
  toggles.forEach((update) => update());
}

/** What is shown has changed. */
function changed(move) {
  timeline.choose();
  if (move) go_to_evidence();
  else timeline.set_view(timeline.view.from, timeline.view.to);
  toggles.forEach((update) => update());
}

function go_to_evidence() {
  if (page.show.only || page.show.evidence.size === 0) timeline.all();
  else timeline.reveal([...page.show.evidence]);
}

// ---- filters ----

function write_filters() {
  const { keys, lanes } = history_, { show } = page, filters = $('filters');
  if (keys.length > 1) {
    const chosen = new Set();
    const row = el('div', { class: 'keys', role: 'group', 'aria-label': 'keys' }, el('span', { class: 'name' }, 'keys'));
    const chip = ({ key, count, text }) => {
      const element = el('button', { type: 'button', class: 'chip', 'aria-pressed': 'false', title: `${shortened(text, 300)}: ${count} operations`, style: `--colour:var(--key-${history_.colour_of.get(key) % COLOURS})`, onclick: () => {
        if (!chosen.delete(key)) chosen.add(key);
        element.setAttribute('aria-pressed', String(chosen.has(key)));
        show.keys = chosen.size > 0 ? chosen : null;
        changed(false);
      } }, shortened(text, 16));
      return element;
    };
    const few = keys.slice(0, 24);
    row.append(...few.map(chip));
    if (keys.length > few.length) {
      const names = el('datalist', { id: 'names' });
      for (const { text } of keys.slice(0, 5000)) names.append(el('option', { value: shortened(text, 80) }));
      const others = new Map(keys.map((each) => [shortened(each.text, 80), each]));
      row.append(names, el('input', { list: 'names', placeholder: `another of ${keys.length} keys`, 'aria-label': 'another key', onchange: (event) => {
        const found = others.get(event.target.value);
        event.target.value = '';
        if (!found || chosen.has(found.key)) return;
        const element = chip(found);
        event.target.before(element);
        element.click();
      } }));
    }
    filters.append(row);
  }
  if (lanes.length > 1) {
    const choice = el('select', { 'aria-label': 'process', onchange: (event) => { show.process = Number(event.target.value); changed(false); } }, el('option', { value: NONE }, 'all processes'));
    lanes.slice(0, 2000).forEach((lane, i) => choice.append(el('option', { value: i }, `process ${shortened(lane.name, 24)}`)));
    filters.append(choice);
  }
}

// ---- one operation ----

function rows_of(op) {
  const h = history_, { ops } = h, rows = [['operation', `${op} · ${op_place(h, op)}`], ['process', process_name(h, ops.process[op])], ['what', f_name(h, op)]];
  const value = (name, id) => rows.push([name, id === NONE ? 'nothing is known' : h.values[id]]);
  if (is_txn(h, op)) {
    for (const { kind, key, value: v } of mops_of(h, op)) rows.push([{ r: 'read', w: 'write', append: 'append' }[kind], `${name_text(h, key)}  ${v === NONE ? '?' : h.values[v]}`]);
  } else {
    if (ops.key[op] !== NONE) value('key', ops.key[op]);
    if (ops.arg[op] !== NONE && h.values[ops.arg[op]] !== 'null') value('asked', ops.arg[op]);
    if (ops.out[op] !== NONE || ops.outcome[op] === OPEN || f_name(h, op) === 'read') value('answer', ops.out[op]);
  }
  rows.push(['outcome', OUTCOMES[ops.outcome[op]]]);
  if (h.timed) rows.push(['time', `${time_text(h.call_ns[op])} to ${Number.isNaN(h.ret_ns[op]) || h.ret[op] === Infinity ? '…' : `${time_text(h.ret_ns[op])} (${time_text(h.ret_ns[op] - h.call_ns[op])})`}`]);
  if (h.real_time) rows.push(['events', `${h.call[op]} to ${h.ret[op] === Infinity ? 'the end' : h.ret[op]}`]);
  if (page.show.numbers.has(op)) rows.push(['in the order', String(page.show.numbers.get(op))]);
  const steps = page.show.edges.flatMap(([from, to, by], i) => (from === op || to === op || by === op ? [i + 1] : []));
  if (steps.length > 0) rows.push(['contradiction', `step ${steps.join(', ')}`]);
  else if (page.show.evidence.has(op)) rows.push(['contradiction', 'is part of it']);
  return rows;
}

function write_details(op) {
  const box = $('selected');
  if (op === NONE) {
    box.replaceChildren(el('p', { class: 'hint' }, 'Choose an operation to see all about it. Wheel or + − zoom, drag or arrow keys move, n and p go from one to the next.'));
    return;
  }
  const table = el('table', {});
  for (const [name, text] of rows_of(op)) table.append(el('tr', {}, el('th', {}, name), el('td', {}, long_text('span', visible(text), 160))));
  box.replaceChildren(el('h2', {}, shortened(op_label(history_, op, 60), 120)), table);
}

function show_tip(op, band, x, y) {
  const tip = $('tip');
  if (op === NONE && band === null) {
    tip.hidden = true;
    return;
  }
  const rows = op !== NONE ? rows_of(op) : [['fault', band.name], ['about', band.about], ...(band.ns >= 0 ? [['time', `${time_text(band.ns)}${band.mark ? '' : ` to ${time_text(band.to_ns)}`}`]] : []), ['events', band.mark ? band.from : `${band.from} to ${band.to}`]];
  tip.replaceChildren(...rows.slice(0, 12).map(([name, text]) => el('div', {}, el('b', {}, name), ` ${shortened(visible(String(text)), 160)}`)));
  tip.hidden = false;
  const wide = tip.offsetWidth, stage = $('stage');
  tip.style.left = `${Math.max(4, Math.min(stage.clientWidth - wide - 4, x + 14))}px`;
  tip.style.top = `${y + 18}px`;
}

// ---- choosing ----

page.select = (op, move) => {
  page.show.selected = op;
  write_details(op);
  page.at_step?.(op);
  for (const each of document.querySelectorAll('#evidence .op')) each.classList.toggle('chosen', Number(each.dataset.op) === op && op !== NONE);
  if (op !== NONE && move !== false && timeline.row_at(op) !== NONE) timeline.centre(op);
  timeline.draw();
};

page.choose_edge = (i) => {
  const { show } = page;
  show.edge = show.edge === i ? NONE : i;
  for (const each of document.querySelectorAll('#evidence li[data-edge]')) {
    const chosen = Number(each.dataset.edge) === show.edge;
    each.classList.toggle('chosen', chosen);
    if (chosen) each.scrollIntoView({ block: 'nearest' });
  }
  if (show.edge !== NONE) {
    const [from, to, by] = show.edges[i];
    const out = [from, to].some((op) => op !== NONE && (timeline.begin_of(op) < timeline.view.from || timeline.begin_of(op) > timeline.view.to));
    if (out) timeline.reveal([from, to, by]);
    else timeline.reveal_rows([from, to]);
  }
  timeline.draw();
};

page.choose_order = (i) => {
  page.order = i;
  number_bars();
  $('evidence').replaceChildren(...evidence_panel(history_, page));
  timeline.draw();
};

function number_bars() {
  const { orders } = history_;
  if (orders.length === 0 || history_.answer !== 'yes') return;
  const chosen = orders[page.order].scope === 'key' ? orders : [orders[page.order]];
  Object.assign(page.show, numbers_of(history_, chosen));
}

// ---- the beginning ----

/** A contradiction far apart is shown by itself, one close together among the others. */
function first_view() {
  const { show } = page, ops = [...show.evidence];
  if (ops.length > 0) {
    const order = ops.map((op) => history_.call[op]);
    if (Math.max(...order) - Math.min(...order) > 120) {
      show.only = true;
      show.axis = 'events';
    } else if (history_.count <= 300) {
      show.axis = 'events';
    }
  } else if (history_.timed && history_.count <= 300) {
    show.axis = 'events';
  }
}

write_head();
first_view();
number_bars();
const timeline = new Timeline($('timeline'), history_, page.show, {
  hover: show_tip, select: (op) => page.select(op, true), edge: page.choose_edge, evidence: go_to_evidence,
});
write_tools();
write_filters();
write_details(NONE);
$('evidence').replaceChildren(...evidence_panel(history_, page));
if (history_.levels.length > 0) $('levels').append(el('h2', {}, 'Levels'), el('div', { class: 'lattice' }, lattice(history_)),
  el('p', { class: 'hint' }, '✓ holds  ✗ violated  ? undecided within the limits; the framed one was asked; what stands below follows from what stands above'));
timeline.size();
timeline.all();
if (page.show.evidence.size > 0) go_to_evidence();
else if (history_.count > 400) timeline.reveal(timeline.in_order().slice(0, 150));
new ResizeObserver(() => timeline.size()).observe($('stage'));
window.addEventListener('resize', () => timeline.size());
reduce.addEventListener('change', () => timeline.theme());
window.cairn = { history: history_, page, timeline }; // for a closer look, and for tests
