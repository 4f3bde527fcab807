// The data of the page, unpacked, and what can be asked of it.

const NONE = -1;
const by_name = new Intl.Collator('en', { numeric: true }).compare;
const OK = 0, FAILED = 1, OPEN = 2, MISMATCH = 3;

/** Sums of what is stored as differences. */
function summed(differences, first = 0) {
  const sums = new Float64Array(differences.length);
  let sum = first;
  for (let i = 0; i < differences.length; i++) sums[i] = sum += differences[i];
  return sums;
}

function unpack(data) {
  const { ops } = data;
  const history = {
    ...data,
    count: ops.count,
    call: summed(ops.call),
    ret: new Float64Array(ops.count),
    line: summed(ops.line),
    timed: Boolean(ops.call_time),
    ops,
  };
  for (let i = 0; i < ops.count; i++) history.ret[i] = ops.ret[i] < 0 ? Infinity : history.call[i] + ops.ret[i];
  if (history.timed) {
    history.call_ns = summed(ops.call_time);
    history.ret_ns = Float64Array.from(ops.ret_time, (ns, i) => (ns < 0 ? NaN : history.call_ns[i] + ns));
  }
  if (!data.real_time) side_by_side(history);
  history.end = last_position(history) + 1;
  history.bands = bands_of(history);
  history.lanes = lanes_of(history);
  history.keys = keys_of(history);
  return history;
}

/** A history of sessions only: every session begins at the left. */
function side_by_side(history) {
  const next = new Map();
  for (let i = 0; i < history.count; i++) {
    const at = next.get(history.ops.process[i]) ?? 0;
    history.call[i] = at;
    history.ret[i] = at + 1.7;
    next.set(history.ops.process[i], at + 2);
  }
}

function last_position(history) {
  let last = 0;
  for (let i = 0; i < history.count; i++) last = Math.max(last, history.call[i], history.ret[i] === Infinity ? 0 : history.ret[i]);
  for (const [position] of history.faults) last = Math.max(last, position);
  return last;
}

// ---- values ----

/** Characters that would not be seen, or turn the text around, as their numbers. */
const visible = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
  (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A key or a process: a text stands without quotes, whatever it looks like. */
function name_text(history, value) {
  const text = value_text(history, value);
  return /^"[^"\\]+"$/.test(text) ? text.slice(1, -1) : text;
}

function value_text(history, value) {
  if (value === NONE) return '?';
  const text = history.values[value];
  if (text[0] !== '"') return visible(text);
  let plain;
  try {
    plain = JSON.parse(text);
  } catch {
    return visible(text); // one that was cut
  }
  return plain === '' || /^(null|true|false|-?\d+)$/.test(plain) ? visible(text) : visible(plain);
}

function shortened(text, max) {
  if (text.length <= max) return text;
  const end = Math.floor((max - 1) / 3);
  return `${text.slice(0, max - 1 - end)}…${text.slice(-end)}`;
}

// ---- operations ----

const process_name = (history, process) => name_text(history, history.processes[process]);
const f_name = (history, op) => history.fs[history.ops.f[op]];
const is_txn = (history, op) => f_name(history, op) === 'txn';

function mops_of(history, op) {
  if (!is_txn(history, op)) return [];
  const mops = [];
  for (let n = 0, at = 3 * history.ops.arg[op]; n < history.ops.out[op]; n++, at += 3)
    mops.push({ kind: ['r', 'w', 'append'][history.mops[at]], key: history.mops[at + 1], value: history.mops[at + 2] });
  return mops;
}

/** The keys that an operation touches; one NONE for an object without keys. */
function op_keys(history, op) {
  if (!is_txn(history, op)) return [history.ops.key[op]];
  const keys = new Set();
  for (let n = 0, at = 3 * history.ops.arg[op] + 1; n < history.ops.out[op]; n++, at += 3) keys.add(history.mops[at]);
  return [...keys];
}

/** "write x 5", "read x → 3", "r x 1, w y 2"; values no longer than `max` characters. */
function op_label(history, op, max = 40) {
  const show = (value, text_of = value_text) => shortened(text_of(history, value), max);
  if (is_txn(history, op)) return mops_of(history, op).map((mop) => `${mop.kind} ${show(mop.key, name_text)} ${show(mop.value)}`).join(', ') || 'txn';
  const { key, arg, out, outcome } = history.ops;
  const words = [f_name(history, op)];
  if (key[op] !== NONE) words.push(show(key[op], name_text));
  if (arg[op] !== NONE && (history.values[arg[op]] !== 'null' || words[0] === 'write')) words.push(show(arg[op]));
  if (outcome[op] === OK && out[op] !== NONE) words.push(`→ ${show(out[op])}`);
  return words.join(' ') + ['', ' ✗', ' …?', ' → no match'][outcome[op]];
}

const OUTCOMES = ['ok', 'failed: it did not happen', 'open: it is not known whether it happened', 'answered: no match'];

function op_place(history, op) {
  return history.line[op] > 0 ? `line ${history.line[op]}` : `operation ${op}`;
}

// ---- keys ----

/** Every key with its number of operations, most used first. */
function keys_of(history) {
  const counts = new Map();
  for (let op = 0; op < history.count; op++)
    for (const key of op_keys(history, op)) if (key !== NONE) counts.set(key, (counts.get(key) ?? 0) + 1);
  const keys = [...counts].map(([key, count]) => ({ key, count, text: name_text(history, key) }));
  keys.sort((a, b) => by_name(a.text, b.text));
  history.colour_of = new Map(keys.map(({ key }, i) => [key, i]));
  return keys;
}

// ---- lanes ----

const is_retired = (history, { ops }) => history.ops.outcome[ops[ops.length - 1]] === OPEN;

/** How much higher the number is under which a client goes on, where all go by one rule (Jepsen's
 * is: by the number of clients); 0: there is none. */
function rule_of_numbers(history, lanes) {
  const by_number = new Map(lanes.map((lane) => [lane.number, lane]));
  const most = lanes.reduce((highest, { number }) => Math.max(highest, number), 0);
  const fits = (n) => lanes.every((lane) => {
    const old = by_number.get(lane.number - n);
    return lane.number < n || (old !== undefined && is_retired(history, old) && history.call[old.ops[old.ops.length - 1]] < history.call[lane.ops[0]]);
  });
  if (!Number.isInteger(most) || most >= 100000) return 0;
  for (let n = 1; n <= Math.min(most, 2000); n++) if (fits(n)) return n;
  return 0;
}

/** Operations by process. A client whose operation has an unknown outcome goes on under a new and
 * higher number: that process takes its lane. */
function lanes_of(history) {
  const by_process = new Map();
  for (let op = 0; op < history.count; op++) {
    const process = history.ops.process[op];
    if (!by_process.has(process)) by_process.set(process, { processes: [process], ops: [], number: Number(history.values[history.processes[process]]) });
    by_process.get(process).ops.push(op);
  }
  const lanes = [], retired = [], step = rule_of_numbers(history, [...by_process.values()]);
  for (const lane of [...by_process.values()].sort((a, b) => history.call[a.ops[0]] - history.call[b.ops[0]])) {
    const begin = history.call[lane.ops[0]];
    const goes_on = ({ number, at }) => (step > 0 ? number === lane.number - step : number < lane.number && at < begin);
    const old = history.real_time && (step > 0 || lane.number >= lanes.length) ? retired.findIndex(goes_on) : NONE;
    const home = old >= 0 ? retired.splice(old, 1)[0].lane : lane;
    if (home === lane) {
      lanes.push(lane);
    } else {
      for (const op of lane.ops) home.ops.push(op);
      home.processes.push(lane.processes[0]);
    }
    const last = lane.ops[lane.ops.length - 1];
    if (is_retired(history, lane)) {
      let place = retired.length;
      while (place > 0 && retired[place - 1].at > history.call[last]) place--;
      retired.splice(place, 0, { lane: home, number: lane.number, at: history.call[last] });
    }
  }
  for (const lane of lanes) {
    lane.name = process_name(history, lane.processes[0]) + (lane.processes.length > 1 ? ` +${lane.processes.length - 1}` : '');
  }
  lanes.sort((a, b) => by_name(a.name, b.name));
  history.lane_of = new Int32Array(history.processes.length).fill(NONE);
  lanes.forEach((lane, i) => lane.processes.forEach((process) => { history.lane_of[process] = i; }));
  return lanes;
}

// ---- faults ----

/** 'isolate {"nodes":[1],"what":"isolate leader"}' reads "isolate leader (nodes 1)". */
function fault_label(name, about) {
  let detail;
  try {
    detail = JSON.parse(about);
  } catch {
    return about === '' ? name : `${name} ${about}`;
  }
  if (detail === null || typeof detail !== 'object' || Array.isArray(detail)) return `${name} ${about}`;
  const { what, ...rest } = detail;
  const others = Object.entries(rest).map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(' ') : typeof value === 'object' ? JSON.stringify(value) : value}`).join(', ');
  const head = typeof what === 'string' && what.startsWith(name) ? what : typeof what === 'string' ? `${name}: ${what}` : name;
  return visible(others === '' ? head : `${head} (${others})`);
}

/** Pairs of a beginning and its end become bands: "X" and "end-X", "start-X" and "stop-X", ... */
function bands_of(history) {
  const bands = [], open = [];
  for (const [position, what, detail, ns] of history.faults) {
    const name = value_text(history, what), about = detail === NONE || history.values[detail] === 'null' ? '' : value_text(history, detail);
    const end = /^(?:end|stop|heal|recover|resume|restore)(?:$|[-_ ](.*))/.exec(name);
    const stem = end ? end[1] ?? '' : name.replace(/^(?:start|begin)[-_ ]?/, '');
    if (end) {
      let i = open.findIndex((band) => band.stem === stem && band.about === about);
      if (i < 0) i = open.findIndex((band) => band.stem === stem);
      if (i < 0 && stem === '') i = open.length - 1;
      if (i >= 0) {
        const band = open.splice(i, 1)[0];
        Object.assign(band, { to: position, to_ns: ns });
        band.mark = false;
        continue;
      }
    }
    const band = { name, about, label: fault_label(name, about), stem, from: position, to: position, ns, to_ns: ns, mark: true };
    bands.push(band);
    open.push(band);
  }
  return bands;
}
