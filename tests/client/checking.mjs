// The judge as a user has it: cairn check, place, lint, convert, gen, shrink and verify, on good and bad files.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { binary, cairn, call_program, check, equal, root, run_tests, temporary_folder, test } from './lib.mjs';

const folder = temporary_folder();
const absent = path.join(folder, 'absent');
const recorded = (name) => path.join(root, 'tests/histories', name);
let files = 0;
const file = (text) => {
  const name = path.join(folder, `h${files++}`);
  fs.writeFileSync(name, text);
  return name;
};
const gen = (...args) => {
  const name = path.join(folder, `g${files++}.jsonl`);
  const { code, err } = cairn('gen', ...args, '-o', name);
  equal(code, 0, `${args.join(' ')}: ${err}`);
  return name;
};
const piped = (input, ...args) => call_program(binary, args, { input });

/** Processor time in ms from start to end, peak memory in KiB, and what was said. */
function measured(...args) {
  const done = spawnSync('python3', ['-c', `
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("took", round((used.ru_utime + used.ru_stime) * 1000), used.ru_maxrss, file=sys.stderr)
sys.exit(code)`, binary, ...args], { encoding: 'utf8', timeout: 60000 });
  const [, ms, kib] = /took (\d+) (\d+)\n$/.exec(done.stderr);
  return { code: done.status, out: done.stdout, err: done.stderr, ms: Number(ms), kib: Number(kib) };
}

test('the answer is the exit code', () => {
  const holds = recorded('objects/queue.jsonl'), violated = recorded('objects/queue-twice.jsonl');
  equal(cairn('check', holds).code, 0, 'holds');
  equal(cairn('check', violated).code, 1, 'violated');
  equal(cairn('check', violated, '--level', 'sequential', '--model', 'queue').code, 1, 'violated too');
  const { code, out } = cairn('place', recorded('classic/iriw.jsonl'));
  equal(code, 0, 'every level is decided');
  check(/^linearizable +no/m.test(out) && /^strongest that hold: /m.test(out), out);
  equal(cairn('lint', holds).code, 0, 'lint');
});

test('a history comes through standard input too', () => {
  const text = fs.readFileSync(recorded('objects/stack.jsonl'));
  equal(piped(text, 'check', '-', '--model', 'stack').code, 0, 'check');
  equal(piped(text, 'lint', '-').code, 0, 'lint');
  const edn = piped(text, 'convert', '-', '--to', 'edn');
  equal(edn.code, 0, edn.err);
  equal(piped(edn.out, 'check', '-', '--model', 'stack').code, 0, 'through EDN');
});

test('what JSON can not hold is counted when a history is converted', () => {
  const converted = (value) => piped(`{:process 0 :type :invoke :f :add :value ${value}}`, 'convert', '-', '--to', 'jsonl').err;
  for (const value of ['{{1 2} 3}', '[[{nil 1}]]', '{"12" 3}', '{true 3}']) check(converted(value).includes("1 operations or answers can't be told"), value);
  for (const value of ['{1 2}', '[{"a" {3 4}}]', '"12"', 'nil']) equal(converted(value), '', value);
});

test('--json is JSON', () => {
  for (const name of ['objects/queue-twice.jsonl', 'objects/lists-write-skew.jsonl', 'objects/kv-texts.jsonl', 'forms/sessions-causal.txt']) {
    for (const command of ['check', 'place', 'lint']) {
      const { out } = cairn(command, recorded(name), '--json');
      JSON.parse(out);
    }
  }
  const { out } = cairn('check', recorded('objects/register-open-write-undone.jsonl'), '--json');
  equal(JSON.parse(out).answer, 'no', 'answer');
  JSON.parse(cairn('shrink', recorded('objects/queue-twice.jsonl'), '--json').out);
});

test('what is misused is refused with exit code 3 and a reason', () => {
  const good = recorded('objects/queue.jsonl');
  const cases = [
    [['check'], 'give one history'], [['check', good, good], 'give one history'], [['check', good, '--nosuch'], 'nosuch'],
    [['check', absent], 'can\'t open'], [['check', folder], 'can\'t read'], [['check', good, '--model', 'chess'], 'no model \'chess\''],
    [['check', good, '--model', 'mutex'], 'mutex has no'], [['check', good, '--level', 'perfect'], 'no level \'perfect\''],
    [['check', good, '--level', 'serializable'], 'transactions'], [['check', recorded('objects/lists.jsonl'), '--level', 'linearizable'], 'single operations'],
    [['check', good, '--limit-time', 'soon'], '--limit-time'], [['check', good, '--limit-mem', 'much'], '--limit-mem'], [['check', good, '--limit-time', '0s'], '--limit-time'],
    [['check', good, '--format', 'xml'], 'no format'], [['check', good, '--order', 'random'], '--order'], [['check', good, '--initial', '['], '--initial'],
    [['check', good, '--forced', '1'], 'line numbers'], [['check', good, '--forced', '1,999'], 'line 999'],
    [['place', absent], 'can\'t open'], [['shrink', absent], 'can\'t open'], [['verify', good], 'proof'], [['verify', good, absent], 'can\'t open'],
    [['gen', '--model', 'chess'], 'no model'], [['gen', '--level', 'perfect'], 'no level'], [['gen', '--values', '0'], '--values'], [['gen', '--to', 'xml'], '--to'],
    [['gen', '--clients', '0'], ''], [['gen', '--info', '101'], ''], [['convert', good, '--to', 'xml'], '--to'], [['lint'], 'FILE'],
  ];
  for (const [args, words] of cases) {
    const { code, err } = cairn(...args);
    equal(code, 3, args.join(' '));
    check(err.includes(words), `${args.join(' ')}: ${err}`);
  }
});

const deep = (text, times) => text.repeat(times);
const event = (value) => `{"process":0,"type":"invoke","f":"write","value":${value}}\n{"process":0,"type":"ok","f":"write","value":${value}}\n`;

test('hostile files are refused clearly, in bounded time and memory', () => {
  const huge = '9'.repeat(1000000);
  const bad = {
    binary: Buffer.from(Array.from({ length: 100000 }, (_, i) => (i * 7919 + (i >> 8)) & 255)),
    'truncated JSON': event(1).slice(0, -20),
    'truncated EDN': '{:process 0, :type :invoke, :f :write, :value [1 2',
    'a million brackets': deep('[', 1000000),
    'a million nested lists': `{"process":0,"type":"invoke","f":"write","value":${deep('[', 1000000)}${deep(']', 1000000)}}\n`,
    'a million nested maps': `{:process 0, :type :invoke, :f :write, :value ${deep('{:a ', 1000000)}`,
    'a million discards': `{:process 0, :type :invoke, :value ${deep('#_', 1000000)}`,
    'a huge map key': `{"${huge}`,
    'half a text': '{"process":0,"type":"invoke","f":"write","value":"abc',
    'no UTF-8': Buffer.concat([Buffer.from('{"process":0,"type":"invoke","f":"write","value":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n')]),
    'an end without a beginning': '{"process":0,"type":"ok","f":"write","value":1}\n',
    'a double invoke': '{"process":0,"type":"invoke","f":"read"}\n{"process":0,"type":"invoke","f":"read"}\n',
    'an integer of 90 bits': event('999999999999999999999999999'),
    'an integer of a megabyte': event(huge),
    'a cas of three': '{"process":0,"type":"invoke","f":"cas","value":[1,2,3]}\n{"process":0,"type":"ok","f":"cas","value":[1,2,3]}\n',
  };
  for (const [what, text] of Object.entries(bad)) {
    const name = file(text);
    for (const command of ['check', 'lint']) {
      const { code, err, out, ms, kib } = measured(command, name);
      equal(code, 3, `${command} of ${what}: ${out}${err}`);
      check(`${out}${err}`.length > 20 && err.length < 20000, `${command} of ${what} says ${err.length} bytes`);
      check(ms < 5000 && kib < 200000, `${command} of ${what}: ${ms} ms, ${kib} KiB`);
    }
  }
});

test('odd values are values', () => {
  for (const value of ['1e999', '-0', '5.0', '9223372036854775807', '-9223372036854775808', '"\\u0000"', '"\\ud83d\\ude00"', '[]', '{}', 'true', '""', `"${'x'.repeat(1000000)}"`]) {
    const { code, err } = cairn('check', file(event(value)), '--model', 'register');
    equal(code, 0, `${value.slice(0, 40)}: ${err}`);
  }
  const add = (n) => `{"process":0,"type":"invoke","f":"add","value":${n}}\n{"process":0,"type":"ok","f":"add","value":${n}}\n`;
  const most = file(add('9223372036854775807').repeat(3) + '{"process":0,"type":"invoke","f":"read"}\n{"process":0,"type":"ok","f":"read","value":5}\n');
  for (const level of ['linearizable', 'sequential', 'counter-bounds'])
    equal(cairn('check', most, '--model', 'counter', '--level', level).code, 1, `sums of huge numbers, ${level}`);
});

// ---- what a stranger's first verdict is worth ----

const half = (type, f, rest = {}) => `${JSON.stringify({ process: 0, type, f, ...rest })}\n`;
const one = (f, asked, answered, type = 'ok') => half('invoke', f, asked) + half(type, f, answered);

test('what proves nothing is refused', () => {
  const empty = {
    'no operation': '',
    'only blanks': '\n\n',
    'all failed': one('write', { value: 1 }, {}, 'fail'),
    'all of unknown fate': one('write', { value: 1 }, {}, 'info'),
    'without an end': half('invoke', 'read'),
    'dropped by --lenient': half('ok', 'read', { value: 1 }),
    'only faults': '{"process":"nemesis","type":"info","f":"kill"}\n',
    'an empty list': '[]',
  };
  const proof = file('{}');
  for (const [what, text] of Object.entries(empty)) {
    const name = file(text);
    for (const command of ['check', 'place', 'explain', 'shrink', 'verify']) {
      const args = [command, name, ...(command === 'verify' ? [proof] : []), '--lenient'];
      const { code, out, err } = cairn(...args);
      equal(code, 3, `${command} of ${what}: ${out}${err}`);
      check(err.includes('nothing can be judged') && err.includes('--allow-empty'), `${command} of ${what}: ${err}`);
    }
    const { code, out } = cairn('check', name, '--lenient', '--allow-empty', '--model', 'register');
    equal(code, 0, `${what} with --allow-empty: ${out}`);
    check(/^judged: /m.test(out), out);
  }
  equal(cairn('convert', file(''), '--to', 'edn').code, 3, 'nothing is converted');
});

test('every verdict says what it rests on', () => {
  const name = file(one('write', { key: 'x', value: 1 }, {}) + one('read', { key: 'x' }, { value: 1 }));
  const line = 'judged: 2 operations of 1 process on 1 key; 1 read with an answer\n';
  for (const command of ['check', 'place', 'explain', 'shrink']) check(cairn(command, name).out.includes(line), command);
  equal(JSON.parse(cairn('check', name, '--json').out).judged, { operations: 2, processes: 1, keys: 1, failed: 0, unknown: 0, reads: 1, answered: 1 }, 'JSON');
  equal(JSON.parse(cairn('place', name, '--json').out).judged.reads, 1, 'place');
  check(fs.readFileSync(`${name}.html`, 'utf8').includes('judged: 2 operations'), 'the page');
  const silent = cairn('check', file(one('write', { value: 1 }, {}) + one('read', {}, {})));
  equal(silent.code, 0, silent.out);
  check(/^warning: no read has an answer/m.test(silent.out) && /0 of 1 reads with an answer/.test(silent.out), silent.out);
});

test('a violation that may be none says so, with the option to give', () => {
  const hints = [
    [one('read', {}, { value: 0 }) + one('write', { value: 1 }, {}), /^hint: perhaps the initial value is 0, .* with --initial 0 it holds$/m, ['--initial', '0']],
    [one('transfer', { value: { from: 0, to: 1, amount: 5 } }, {}) + one('read', {}, { value: { 0: 95, 1: 5 } }), /^hint: .* total of 100: with --initial '{"0":100,"1":0}' it holds$/m, ['--initial', '{"0":100,"1":0}']],
    [one('write', { key: 'x', value: 1 }, {}) + one('read', { key: 'x' }, { value: '1' }), /^warning: "1" was read as a text \(line 3\), and 1 was written as a number \(line 1\)/m, ['--numbers']],
    [half('invoke', 'read', { time: 66000000 }) + half('ok', 'read', { value: 1, time: 66000100 }) + one('write', { value: 1, time: 5 }, { time: 9 }).replaceAll('"process":0', '"process":1'),
      /^warning: lines tell the order here, and their times go back by up to 66 ms: .*--order time$/m, ['--order', 'time']],
  ];
  for (const [text, words, options] of hints) {
    const name = file(text);
    for (const command of ['check', 'place', 'explain']) {
      const { out } = cairn(command, name);
      check(words.test(out), `${command}: ${out}`);
    }
    equal(cairn('check', name).code, 1, 'a violation');
    equal(cairn('check', name, ...options).code, 0, options.join(' '));
  }
});

test('in EDN a lost write that reads nil, and a value out of thin air, pass only with a word', () => {
  const nil = file('{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1}\n{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :read :value nil}\n');
  const air = file('{:process 0 :type :invoke :f :txn :value [[:r :x nil]]}\n{:process 0 :type :ok :f :txn :value [[:r :x 7]]}\n');
  check(/^warning: an answer of nil fits any state/m.test(cairn('check', nil).out), 'nil');
  check(/no operation is known to have written/.test(cairn('check', air).out), 'thin air');
  for (const [name, ...options] of [[nil], [nil, '--nil', 'any'], [air]]) equal(cairn('check', name, ...options).code, 0, `${options}`);
  for (const [name, ...options] of [[nil, '--nil', 'absent'], [nil, '--strict'], [air, '--strict']]) equal(cairn('check', name, ...options).code, 1, `${options}`);
});

test("Elle's transactions that only end are judged without real time", () => {
  const name = file('{:type :ok, :value [[:append :x 1] [:r :y [1]]]}\n{:type :ok, :value [[:append :x 2] [:append :y 1]]}\n{:type :ok, :value [[:r :x [1 2]]]}\n');
  const { code, out } = cairn('check', name);
  equal(code, 1, out);
  check(/^session-serializable \(txn-append\): is violated/.test(out) && /^note: no event invokes/m.test(out), out);
  const strict = cairn('check', name, '--level', 'strict-serializable');
  check(strict.code === 3 && /is not defined/.test(strict.out), strict.out);
});

test('what a stranger\'s recorder writes is taken, or named', () => {
  const fine = [
    one('SET', { key: 'x', value: 1 }, {}) + one('GET', { key: 'x' }, { output: 1 }),
    one('sadd', { value: 'a' }, {}) + one('SMEMBERS', {}, { value: ['a'] }),
    one('RPUSH', { value: 1 }, {}) + one('lrange', {}, { value: [1] }),
    (one('write', { value: 1 }, {}) + one('read', {}, { value: 1 })).replaceAll('process', 'client'),
    `[${(one('write', { value: 1 }, {}) + one('read', {}, { value: 1 })).trim().replaceAll('\n', ',')}]`,
    one('add', { value: 'a' }, {}),
  ];
  for (const text of fine) {
    const { code, out, err } = cairn('check', file(text));
    equal(code, 0, `${text}${out}${err}`);
  }
  const named = [
    [one('LPOP', {}, { value: 1 }), /line 1: there is no function "LPOP"; there are read, write/],
    [one(undefined, {}, {}), /line 1: there is no function \(f\); it is one of read, write/],
    [one('write', { value: 1 }, {}, 'done'), /:2: error: the type of an event is invoke, ok, fail or info, not "done"/],
    [(half('invoke', 'read') + half('invoke', 'read')).replaceAll('"process":0,', ''), /:2: error: events without a process are all of one, which invokes again/],
    [`[${half('invoke', 'read').trim()},${half('invoke', 'read').trim()}]`, /: event 2: error: process 0 invokes again before the end of its operation, event 1/],
  ];
  for (const [text, words] of named) {
    const { code, err } = cairn('check', file(text));
    equal(code, 3, err);
    check(words.test(err) && !/\bother\b|null/.test(err), err);
  }
  const texts = cairn('check', file(one('add', { value: 'a' }, {})), '--model', 'counter');
  check(texts.err.includes('--model set'), texts.err);
  const pairs = cairn('check', file('{:process 0 :type :invoke :f :add :value [0 5]}\n{:process 0 :type :ok :f :add :value [0 5]}\n{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :read :value #{5}}\n'));
  check(/^warning: what is written looks like \[key value\].*--keyed/m.test(pairs.out), pairs.out);
  const keyless = cairn('check', recorded('classic/iriw.jsonl'), '--level', 'per-key-sequential').out;
  check(!/key null/.test(keyless), keyless);
});

test('events that stand in one line can be named', () => {
  const name = file('[{"process":0,"type":"invoke","f":"write","value":1},{"process":1,"type":"invoke","f":"write","value":2},{"process":0,"type":"ok","f":"write"},{"process":1,"type":"ok","f":"write"}]');
  check(cairn('check', name, '--forced', '1,2').out.startsWith('both orders'), 'two writes');
  let violated = 0;
  for (const each of fs.readdirSync(recorded('objects')).filter((of) => of.endsWith('.jsonl'))) {
    const line = file(`[${fs.readFileSync(recorded(`objects/${each}`), 'utf8').trim().replaceAll(/\n+/g, ',')}]`);
    const judged = cairn('check', line), placed = cairn('place', line), linted = cairn('lint', line);
    violated += judged.code === 1;
    for (const { out, err } of [judged, placed, linted]) check(!/\bline \d/.test(out + err), `${each}: ${out}${err}`);
  }
  check(violated > 10, `only ${violated} are violated`);
});

test('what is undecided names another model where one may decide', () => {
  const name = gen('--model', 'multi-register', '--clients', '20', '--ops', '2000', '--keys', '3', '--values', '5');
  const { code, out } = cairn('check', name, '--limit-time', '100ms');
  check(code === 2 && /^hint: .*try --model multi-register$/m.test(out), `${code} ${out}`);
});

const models = ['register', 'cas-register', 'kv', 'append', 'counter', 'set', 'queue', 'unordered-queue', 'stack', 'priority-queue', 'mutex', 'owned-mutex',
  'reentrant-mutex', 'fenced-mutex', 'semaphore', 'multi-register', 'bank', 'bank-nonnegative', 'unique-ids', 'txn-rw', 'txn-append'];
const register_levels = ['linearizable', 'sequential', 'causal-convergence', 'causal-memory', 'causal', 'pram', 'per-key-sequential', 'monotonic-writes', 'writes-follow-reads'];
const txn_levels = ['strict-serializable', 'session-serializable', 'serializable', 'strong-snapshot-isolation', 'session-snapshot-isolation', 'snapshot-isolation',
  'session-prefix', 'prefix', 'causal', 'session-read-atomic', 'read-atomic', 'session-monotonic-atomic-view', 'monotonic-atomic-view', 'session-read-committed', 'read-committed'];

/** Every kind of generated history, good and bad, with the exit code that its check must have. */
function* generated() {
  for (const model of models)
    for (const level of model === 'register' ? register_levels : model.startsWith('txn') ? txn_levels : [null])
      for (const bad of [false, true])
        for (const seed of [1, 2]) {
          const chosen = level ? ['--level', level] : [];
          const name = gen('--model', model, ...chosen, '--clients', '4', '--ops', '60', '--keys', model.startsWith('bank') ? '3' : '2', '--seed', `${seed}`, ...(bad ? ['--bad'] : []));
          yield { model, chosen, name, answer: bad ? 1 : 0 };
        }
}

test('proofs of generated histories are verified, yes and no', () => {
  let verified = 0, all = 0;
  for (const { model, chosen, name, answer } of generated()) {
    const proof = `${name}.proof`;
    const judged = cairn('check', name, '--model', model, ...chosen, '--proof', proof);
    equal(judged.code, answer, `${model} ${chosen}: ${judged.out}${judged.err}`);
    JSON.parse(fs.readFileSync(proof, 'utf8'));
    const { code, out, err } = cairn('verify', name, proof);
    check(code === 0 || code === 2, `${model} ${chosen} ${answer}: ${out}${err}`);
    verified += code === 0;
    all++;
  }
  console.log(`# ${verified} of ${all} proofs can be verified`);
  // A bank's sums need every transfer before them, which is more than the exhaustive routine takes.
  check(verified >= all - 4, `only ${verified} of ${all} proofs can be verified`);
});

function tampered(name, args, change) {
  const proof = `${name}.proof`;
  cairn('check', name, ...args, '--proof', proof);
  equal(cairn('verify', name, proof).code, 0, `the proof of ${name}`);
  const told = JSON.parse(fs.readFileSync(proof, 'utf8'));
  change(told);
  fs.writeFileSync(proof, JSON.stringify(told));
  return cairn('verify', name, proof);
}

test('a proof that was tampered with is refused', () => {
  const good = gen('--model', 'register', '--ops', '50', '--clients', '3'), args = ['--model', 'register'];
  const swap = (told) => (told.orders[0].operations = told.orders[0].operations.reverse());
  equal(tampered(good, args, swap).code, 1, 'an order turned around');
  equal(tampered(good, args, (told) => told.orders[0].operations.pop()).code, 1, 'an operation left out');
  equal(tampered(good, args, (told) => (told.orders = [])).code, 1, 'no order');
  equal(tampered(good, args, (told) => told.orders[0].operations.push(100000)).code, 3, 'no such operation');
  equal(tampered(good, args, (told) => (told.level = 'perfect')).code, 3, 'no such level');
  const bad = recorded('objects/lists-write-skew.jsonl'), copy = path.join(folder, 'skew.jsonl');
  fs.copyFileSync(bad, copy);
  const serializable = ['--model', 'txn-append', '--level', 'serializable'];
  equal(tampered(copy, serializable, (told) => (told.cycle[0].reason = 'wrote what the other read')).code, 1, 'an edge of another kind');
  equal(tampered(copy, serializable, (told) => ([told.cycle[0].from, told.cycle[0].to] = [told.cycle[0].to, told.cycle[0].from])).code, 1, 'an edge turned around');
  equal(tampered(copy, serializable, (told) => (told.level = 'snapshot-isolation')).code, 1, 'a level that allows it');
  const stale = gen('--model', 'cas-register', '--bad', '--ops', '50'), other = gen('--model', 'register', '--ops', '50', '--clients', '3', '--seed', '9');
  equal(tampered(stale, ['--model', 'cas-register'], (told) => (told.answer = 'yes')).code !== 0, true, 'another answer');
  cairn('check', good, ...args, '--proof', `${good}.proof`);
  check(cairn('verify', other, `${good}.proof`).code !== 0, 'of another history');
  equal(cairn('verify', good, file('{"answer":')).code, 3, 'half a proof');
  equal(cairn('verify', good, file('[]')).code, 3, 'no proof');
});

test('pairs that are forced are told', () => {
  const name = recorded('objects/cas-register-ladder.jsonl'); // lines 3 and 4: cas [1,2] and cas [2,3], at the same time
  check(cairn('check', name, '--forced', '3,4').out.startsWith('the first comes before'), 'the ladder');
  check(cairn('check', name, '--forced', '4,3').out.startsWith('the second comes before'), 'the ladder, asked the other way');
  const free = file(['{"process":0,"type":"invoke","f":"write","value":1}', '{"process":1,"type":"invoke","f":"write","value":2}',
    '{"process":0,"type":"ok","f":"write","value":1}', '{"process":1,"type":"ok","f":"write","value":2}', ''].join('\n'));
  check(cairn('check', free, '--forced', '1,2').out.startsWith('both orders'), 'two writes');
});

test('what shrink leaves violates, and needs each of its operations', () => {
  for (const [model, level] of [['register', 'linearizable'], ['queue', 'linearizable'], ['set', 'linearizable'], ['register', 'causal'], ['txn-append', 'serializable'], ['txn-rw', 'snapshot-isolation']]) {
    const name = gen('--model', model, '--level', level, '--bad', '--ops', '200', '--seed', '5'), small = `${name}.small`;
    const shrunk = cairn('shrink', name, '--model', model, '--level', level, '--out', small);
    equal(shrunk.code, 1, shrunk.out + shrunk.err);
    const judged = cairn('check', small, '--model', model, '--level', level);
    equal(judged.code, 1, judged.out + judged.err);
    const again = cairn('shrink', small, '--model', model, '--level', level).out;
    const [, kept, of] = /(\d+) of (\d+) operations are left/.exec(again);
    equal(kept, of, `${model} ${level}: shrunk again`);
    check(Number(of) <= 12, `${model} ${level}: ${of} operations`);
  }
});

// ---- limits ----

const hard = [
  [['--model', 'cas-register', '--clients', '50', '--ops', '3000', '--values', '5'], ['linearizable', 'sequential']],
  [['--model', 'stack', '--clients', '20', '--ops', '3000', '--values', '5'], ['linearizable', 'sequential']],
  [['--model', 'multi-register', '--clients', '20', '--ops', '2000', '--keys', '3', '--values', '5'], ['linearizable']],
  [['--model', 'txn-rw', '--clients', '30', '--ops', '5000', '--keys', '20', '--values', '5'], ['strict-serializable', 'snapshot-isolation']],
  [['--model', 'register', '--level', 'causal-memory', '--clients', '40', '--ops', '10000', '--keys', '20'], ['writes-follow-reads']],
  [['--model', 'register', '--clients', '6', '--ops', '60000', '--keys', '4'], ['writes-follow-reads']],
];
// By processor time: what goes on behind its limit uses some, and other programs on this machine cost none.
const TIME_MS = 200, TIME_SLACK_MS = 200;
const MEM_M = 60, MEM_SLACK = 1.1;

test('limits of time and memory hold, and what was proved is said', () => {
  let latest = 0, largest = 0, undecided = 0;
  for (const [args, levels] of hard) {
    const name = gen(...args);
    const commands = levels.map((level) => ['check', name, '--model', args[1], '--level', level]).concat([['place', name, '--model', args[1]]]);
    for (const command of commands) {
      const timed = measured(...command, '--limit-time', `${TIME_MS}ms`);
      check(timed.code <= 2 && timed.ms <= TIME_MS + TIME_SLACK_MS, `${command.join(' ')}: exit code ${timed.code} with ${timed.ms} ms of processor time`);
      if (timed.code === 2) check(command[0] === 'place' || /stopped by the time limit/.test(timed.out), timed.out);
      const bounded = measured(...command, '--limit-mem', `${MEM_M}M`, '--limit-time', '900ms');
      check(bounded.code <= 2 && bounded.kib <= MEM_M * 1024 * MEM_SLACK, `${command.join(' ')}: exit code ${bounded.code} with ${bounded.kib} KiB`);
      undecided += timed.code === 2;
      if (timed.ms > TIME_MS + 50) console.log(`# ${command.slice(0, 1)} ${command.slice(2).join(' ')}: ${timed.ms} ms`);
      latest = Math.max(latest, timed.ms - TIME_MS);
      largest = Math.max(largest, bounded.kib);
    }
  }
  console.log(`# the longest used ${latest} ms more than a limit of ${TIME_MS} ms, the largest took ${Math.round(largest / 1024)} of ${MEM_M} MiB`);
  check(undecided > 0, 'some of these are hard');
}, { timeout_ms: 120000 });

test('a limit stops reading and shrinking too', () => {
  const large = gen('--model', 'register', '--clients', '50', '--ops', '300000', '--keys', '20');
  const read = measured('check', large, '--limit-time', '50ms');
  check(read.code === 2 && read.ms < 50 + TIME_SLACK_MS, `reading: exit code ${read.code} with ${read.ms} ms of processor time: ${read.err}`);
  const small = measured('check', large, '--limit-mem', '20M');
  check(small.code === 2 && small.kib <= 20 * 1024 * 1.1, `reading: exit code ${small.code} with ${small.kib} KiB`);
  const bad = gen('--model', 'register', '--level', 'causal', '--bad', '--clients', '20', '--ops', '20000', '--keys', '5');
  const shrunk = measured('shrink', bad, '--model', 'register', '--level', 'causal', '--limit-time', '400ms');
  check(shrunk.code <= 2 && shrunk.ms < 400 + TIME_SLACK_MS, `shrinking: exit code ${shrunk.code} with ${shrunk.ms} ms of processor time`);
});

await run_tests();
