// Reasons as sentences. A sentence is a list of texts and of operations, which become links.

const op_words = (op) => ({ op });

function read_value(history, op, key) {
  if (op === NONE) return null;
  if (is_txn(history, op)) {
    const mop = mops_of(history, op).find(({ kind, key: at }) => kind === 'r' && at === key);
    return mop ? mop.value : null;
  }
  return f_name(history, op) === 'read' ? history.ops.out[op] : null;
}

/** "x", "key 7". */
function key_words(history, key) {
  const name = shortened(name_text(history, key), 40);
  return /^[a-zA-Z]/.test(name) ? name : `key ${name}`;
}

/** [from, to, by, key, reason] as a sentence. */
function reason_words(history, [from, to, by, key, reason]) {
  const A = op_words(from), B = op_words(to), R = op_words(by);
  const name = key === NONE ? 'the object' : key_words(history, key);
  const got = (op) => {
    const value = read_value(history, op, key);
    return value === null ? '' : ` = ${shortened(value_text(history, value), 60)}`;
  };
  if (from === NONE && ['SESSION', 'REAL_TIME', 'DERIVED'].includes(reason)) return ['The initial state comes before ', B, ', as it comes before everything.'];
  if (from === NONE && reason === 'OVERWRITES') return ['The initial state comes before ', B, `, which overwrote the initial value of ${name}.`];
  if (to === NONE && reason === 'TOGETHER') return [A, ' belongs to the initial value: it stands with the initial state, before any other value.'];
  switch (reason) {
    case 'SESSION':
      return [A, ' comes before ', B, ', because one process did both, in this order.'];
    case 'REAL_TIME':
      return [A, ' comes before ', B, `, because it had ended${when(history, from, to, true)} before the other began${when(history, from, to, false)}.`];
    case 'READS_FROM':
      return from === NONE ? ['The initial state comes before ', B, ', which read from it.']
        : [A, ' comes before ', B, `, because the second read ${name}${got(to)}, which the first wrote.`];
    case 'OVERWRITES':
      return [A, ' comes before ', B, `, because the value of ${name} that it wrote is overwritten by the other.`];
    case 'READ_BEFORE':
      return [A, ' comes before ', B, `, because it read ${name}${got(from)}, and the other replaced that value: had it come first, another value would have been read.`];
    case 'EARLIER_WRITE':
      return [A, ' comes before ', B, `, because both wrote ${name}, `, R, ` must know of the first, and yet read${got(by) ? ` ${name}${got(by)}` : ''} what the second wrote: so the second's value is the later one.`];
    case 'LATER_WRITE':
      return [A, ' comes before ', B, `, because the first read ${name}${got(from)}, the second wrote ${name}`, ...(by === NONE ? [] : [' (see ', R, ')']), ', and what was read is the older value.'];
    case 'VERSION':
      return [A, ' comes before ', B, `, because the list that belongs to it is a beginning of the other's: lists only grow.`];
    case 'TOGETHER':
      return from === NONE ? [B, ' belongs to the initial value: it stands with the initial state, before any other value.']
        : [A, ' and ', B, ' belong to one value. It was written once, so in any order its write and its reads stand together, with no other value between: what must come before one of them comes before all.'];
    default:
      return [A, ' comes before ', B, ', which follows from the other steps.'];
  }
}

const SHORT = {
  SESSION: 'same process', REAL_TIME: 'real time', READS_FROM: 'read from', OVERWRITES: 'overwritten', READ_BEFORE: 'read the older value', EARLIER_WRITE: 'earlier write',
  LATER_WRITE: 'later write', VERSION: 'prefix', TOGETHER: 'same value', DERIVED: 'derived',
};

/** When the first ended, or the second began, as exactly as it takes to tell the two apart. */
function when(history, first, second, of_first) {
  if (!history.timed) return '';
  const end = history.ret_ns[first], begin = history.call_ns[second];
  return end < begin ? ` at ${time_text(of_first ? end : begin, Math.min((begin - end) / 2, Math.max(end, 1) / 1000))}` : '';
}

/** Nanoseconds for people; `step`: how far apart the times are that must be told from each other. */
function time_text(ns, step = 0) {
  const units = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];
  const [unit, name] = units.find(([size]) => Math.abs(ns) >= size) ?? units[3];
  const digits = step > 0 ? Math.min(9, Math.max(0, Math.ceil(-Math.log10(step / unit)))) : unit === 1 ? 0 : 3;
  return `${(ns / unit).toFixed(digits)} ${name}`;
}

/** The verdict in one sentence. */
function verdict_sentence(history) {
  const adjective = { linearizable: 'linearizable', sequential: 'sequentially consistent', serializable: 'serializable', 'strict-serializable': 'strictly serializable' }[history.level];
  const noun = history.level;
  switch (history.answer) {
    case 'yes':
      return `Yes: this history ${adjective ? `is ${adjective}` : `satisfies ${noun}`}.`;
    case 'no':
      return `No: this history ${adjective ? `is not ${adjective}` : `violates ${noun}`}.`;
    case 'undecided':
      return `Undecided: whether this history ${adjective ? `is ${adjective}` : `satisfies ${noun}`} could not be decided${history.stopped ? `; ${history.stopped} stopped the check` : ''}.`;
    default:
      return `The level ${noun} is not defined for the model ${history.model}.`;
  }
}
