// The panel beside the timeline: the steps of a contradiction, or the order that explains all.

function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** The operations that the verdict rests on. */
function evidence_of(history) {
  const ops = new Set();
  if (history.answer !== 'no') return ops;
  for (const [from, to, by] of history.edges) for (const op of [from, to, by]) if (op !== NONE) ops.add(op);
  if (ops.size === 0) for (const op of history.contradiction) ops.add(op);
  return ops;
}

function op_link(history, op, page) {
  if (op === NONE) return el('span', { class: 'op initial' }, 'the initial state');
  const name = `process ${process_name(history, history.ops.process[op])}: ${op_label(history, op, 40)}`;
  return el('a', { class: 'op', href: '#', 'data-op': op, onclick: (event) => { event.preventDefault(); page.select(op, true); } },
    shortened(name, 140), el('span', { class: 'place' }, ` ${op_place(history, op)}`));
}

function cycle_list(history, page) {
  const list = el('ol', { class: 'steps' });
  history.edges.forEach((edge, i) => {
    const words = reason_words(history, edge).map((word) => (typeof word === 'string' ? word : op_link(history, word.op, page)));
    list.append(el('li', { 'data-edge': i },
      el('button', { class: 'step', type: 'button', title: 'show this step', onclick: () => page.choose_edge(i) }, `${i + 1} · ${SHORT[edge[4]] ?? ''}`),
      el('p', {}, ...words)));
  });
  return list;
}

function contradiction_panel(history, page) {
  const ops = history.contradiction;
  const parts = [];
  if (history.edges.length > 0) {
    parts.push(el('h2', {}, 'The contradiction'),
      el('p', { class: 'lead' }, `Each of these ${history.edges.length} steps is forced, and together they go round in a circle: no order of the operations can follow all of them.`),
      cycle_list(history, page));
    return parts;
  }
  if (ops.length === 0) return [el('h2', {}, 'The violation'), el('p', { class: 'lead' }, visible(history.text) || 'No single operations can be named for it.')];
  parts.push(el('h2', {}, history.minimal ? 'The smallest contradiction' : 'The contradiction'),
    el('p', { class: 'lead' }, history.minimal
      ? ops.length === 1 ? 'This operation alone violates the level.' : `These ${ops.length} operations alone violate the level, in whatever order they are taken; without any one of them (and what was told of it) the others do not.`
      : `Among ${ops.length === 1 ? 'what this operation was told of' : `these ${ops.length} operations`} is a contradiction. A limit ended the search for fewer; cairn shrink goes on.`));
  parts.push(long_list(ops, (op) => [op_link(history, op, page)]));
  return parts;
}

// ---- orders ----

/** A list of which only what is in sight is in the document; every item has the same height. */
function long_list(ops, item) {
  if (ops.length <= 200) {
    const list = el('ol', { class: 'ops' });
    for (let i = 0; i < ops.length; i++) list.append(el('li', {}, ...item(ops[i], i)));
    return list;
  }
  const HIGH = 26, inside = el('div', { class: 'inside', style: `height:${ops.length * HIGH}px` }), box = el('div', { class: 'long', tabindex: '0' }, inside);
  let drawn = '';
  const draw = () => {
    const from = Math.max(0, Math.floor(box.scrollTop / HIGH) - 5), to = Math.min(ops.length, from + Math.ceil((box.clientHeight || 600) / HIGH) + 10);
    if (drawn === `${from}-${to}`) return;
    drawn = `${from}-${to}`;
    inside.replaceChildren(...ops.slice(from, to).map((op, i) => el('div', { class: 'row', style: `top:${(from + i) * HIGH}px` }, el('span', { class: 'nr' }, String(from + i + 1)), ...item(op, from + i))));
  };
  box.addEventListener('scroll', draw);
  box.reveal = (i) => { box.scrollTop = i * HIGH - box.clientHeight / 2; draw(); };
  requestAnimationFrame(draw);
  return box;
}

function order_name(history, order) {
  if (order.scope === 'key') return `key ${name_text(history, order.of)}`;
  return order.scope === 'process' ? `process ${process_name(history, order.of)}` : 'all operations';
}

/** Numbers of an order, and the points in time where its operations may have taken effect: each as
 * early as it can, after the one before. None, when the order does not keep to real time. */
function numbers_of(history, orders) {
  const numbers = new Map(), points = new Map();
  let timely = history.real_time;
  for (const order of orders) {
    let at = -1, same = [];
    const spread = () => same.forEach((op, i) => points.set(op, at + (i + 1) / (same.length + 1)));
    order.ops.forEach((op, i) => {
      numbers.set(op, i + 1);
      if (history.call[op] > at) {
        spread();
        at = history.call[op];
        same = [];
      }
      if (history.ret[op] <= at) timely = false;
      same.push(op);
    });
    spread();
  }
  return { numbers, points: timely ? points : new Map() };
}

const REPLAYED = 20000; // operations; later states are not told

/** The object's state after an operation, for the models where that is plain. */
function replay(history, order, upto) {
  const states = new Map();
  for (let i = 0; i <= upto; i++) {
    const op = order.ops[i], { outcome } = history.ops;
    if (outcome[op] === FAILED || outcome[op] === MISMATCH) continue;
    if (is_txn(history, op)) {
      for (const { kind, key, value } of mops_of(history, op)) apply(history, states, kind, key, value, NONE);
    } else {
      apply(history, states, f_name(history, op), history.ops.key[op], history.ops.arg[op], history.ops.out[op]);
    }
  }
  return states;
}

function apply(history, states, f, key, arg, out) {
  const text = (value) => (value === NONE ? '?' : value_text(history, value));
  const raw = arg === NONE ? undefined : history.values[arg];
  const first = /^-?\d+$/.test(history.values[history.initial]) ? history.values[history.initial] : 0;
  const list = () => {
    if (!Array.isArray(states.get(key))) states.set(key, []);
    return states.get(key);
  };
  if (['write', 'w', 'swap'].includes(f)) states.set(key, text(arg));
  else if (f === 'cas') {
    const pair = /^\[(.*),(.*)\]$/.exec(raw ?? '');
    if (pair) states.set(key, pair[2]);
  } else if (f === 'append' && history.model === 'kv') states.set(key, `${states.get(key) ?? ''}${text(arg)}`);
  else if (['append', 'enqueue', 'push', 'insert'].includes(f)) list().push(text(arg));
  else if (f === 'add' && history.model === 'set') list().includes(text(arg)) || list().push(text(arg));
  else if (f === 'add') states.set(key, String(BigInt(states.get(key) ?? first) + BigInt(/^-?\d+$/.test(raw ?? '') ? raw : 1)));
  else if (f === 'dequeue') history.values[out] === 'null' || list().shift();
  else if (f === 'pop') history.values[out] === 'null' || list().pop();
  else if (f === 'remove') states.set(key, list().filter((each) => each !== text(arg)));
  else if (f === 'delete-min' || f === 'delete-max') states.set(key, without(list(), text(out)));
  else if (f === 'acquire') states.set(key, 'held');
  else if (f === 'release') states.set(key, 'free');
  else if (f === 'delete') states.delete(key);
  else if (f === 'drain') states.set(key, []);
}

function without(list, value) {
  const at = list.indexOf(value);
  return at < 0 ? list : [...list.slice(0, at), ...list.slice(at + 1)];
}

function state_text(history, states, key) {
  const show = (state) => (Array.isArray(state) ? `[${state.join(' ')}]` : state);
  if (states.has(key) && key !== NONE) return `${name_text(history, key)} = ${shortened(show(states.get(key)), 200)}`;
  return [...states].map(([at, state]) => `${at === NONE ? 'state' : name_text(history, at)} = ${shortened(show(state), 60)}`).slice(0, 12).join(', ');
}

function order_panel(history, page) {
  if (history.orders.length === 0) return [el('h2', {}, 'The level holds'), el('p', { class: 'lead' }, visible(history.text) || 'This level is proved without a single order.')];
  const { show } = page;
  const order = history.orders[page.order], body = el('div', {});
  const choice = el('select', { 'aria-label': 'which order', onchange: (event) => page.choose_order(Number(event.target.value)) });
  history.orders.forEach((each, i) => choice.append(el('option', { value: i, selected: i === page.order }, `${order_name(history, each)} (${each.ops.length})`)));
  const lead = order.scope === 'process' ? 'All that this process saw, in an order that explains it.'
    : order.scope === 'key' && history.orders.length > 1 ? 'Each key has an order of its own that explains all answers; the numbers on the bars are its.' : 'Carried out one after the other, in this order, the operations give all the answers that were recorded.';
  const state = el('p', { class: 'state', 'aria-live': 'polite' });
  const list = long_list(order.ops, (op) => [op_link(history, op, page)]);
  page.at_step = (op) => {
    const i = order.ops.indexOf(op);
    const states = i >= 0 && i < REPLAYED && history.model !== 'bank' ? replay(history, order, i) : null;
    const told = states === null ? '' : `: ${states.size > 0 ? state_text(history, states, is_txn(history, op) ? NONE : history.ops.key[op]) : 'nothing was written yet'}`;
    state.textContent = i >= 0 ? `after ${i + 1} of ${order.ops.length}${told}` : '';
    if (i >= 0 && list.reveal) list.reveal(i);
    return i;
  };
  const move = (by) => {
    const i = order.ops.indexOf(show.selected);
    page.select(order.ops[i < 0 ? 0 : Math.min(order.ops.length - 1, Math.max(0, i + by))], true);
  };
  body.append(
    el('h2', {}, 'An order that explains it'), el('p', { class: 'lead' }, lead),
    el('div', { class: 'replay' }, ...(history.orders.length > 1 ? [choice] : []),
      el('button', { type: 'button', onclick: () => move(-1) }, '◂ back'), el('button', { type: 'button', onclick: () => move(1) }, 'next ▸')),
    state, list);
  return [body];
}

function evidence_panel(history, page) {
  if (history.answer === 'no') return contradiction_panel(history, page);
  if (history.answer === 'yes') return order_panel(history, page);
  return [el('h2', {}, 'What is known'), el('p', { class: 'lead' }, visible(history.text) || 'Nothing was proved within the limits.'), el('p', {}, 'With more time or memory (', el('code', {}, '--limit-time'), ', ', el('code', {}, '--limit-mem'), ') the answer may be found.')];
}
