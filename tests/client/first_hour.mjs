// docs/first-hour.md, typed word for word: its commands in one shell, in a fresh folder, and what it says they say.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { at_exit, binary, call_program, check, equal, free_port, has_program, root, run_tests, skip, temporary_folder, test } from './lib.mjs';

const page = fs.readFileSync(path.join(root, 'docs/first-hour.md'), 'utf8');

/** The commands of the page in order, each with the lines that the page shows behind it. */
function steps_of(text) {
  const steps = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('    $ ')) steps.push({ command: line.slice(6), shown: [] });
    else if (line.startsWith('    ') && steps.length) steps.at(-1).shown.push(line.slice(4));
  }
  return steps;
}

/** $HOME/cairn as a person has it after `make`. */
function home() {
  const folder = temporary_folder();
  fs.mkdirSync(path.join(folder, 'cairn/build'), { recursive: true });
  fs.symlinkSync(binary, path.join(folder, 'cairn/build/cairn'));
  fs.symlinkSync(path.join(root, 'examples'), path.join(folder, 'cairn/examples'));
  return folder;
}

/** All commands in one shell; of each what it said and its exit code. */
function type(steps, ports, environment) {
  const folder = temporary_folder(), mark = '@@first-hour@@';
  const script = steps.map(({ command }) => `${command}\necho "${mark}$?"\n`).join('').replaceAll(/\b770[12]\b/g, (port) => ports[port]);
  const done = spawnSync('bash', ['-c', `exec 2>&1\n${script}`], { cwd: folder, encoding: 'utf8', timeout: 120000, maxBuffer: 1 << 28, env: { ...process.env, ...environment } });
  const said = done.stdout.split(new RegExp(`${mark}(\\d+)\n`));
  return { folder, results: steps.map((step, i) => ({ ...step, out: said[2 * i] ?? '(never reached)', code: Number(said[2 * i + 1]) })) };
}

// Figures differ from run to run; which operations are the evidence does too, and stands behind blanks.
const alike = (line) => line.replace(/[\d.]+/g, '0').replace(/\(0 of 0 /, '(').trimEnd();
const must_be_said = (line) => /^(linearizable|sequential|strongest|judged|jsonl|master_link|OK$|replica\.html|[\d]+ (errors|of))/.test(line);

function compare({ command, shown, out, code }) {
  const said = out.split('\n').map(alike);
  for (const line of shown.filter(must_be_said))
    check(said.some((each) => each === alike(line) || each.startsWith(`${alike(line)} `)), `$ ${command}\n${out}\nThe page shows: ${line}`);
  check(code < 2, `$ ${command}: exit code ${code}\n${out}`);
}

const ports = { 7701: await free_port(), 7702: await free_port() };
at_exit(() => Object.values(ports).forEach((port) => spawnSync('redis-cli', ['-p', String(port), 'shutdown', 'nosave'])));

/** The steps that need a compiler are left out where there is none, and that is said. */
function steps_here() {
  const needs = { cc: /^cc |^\.\/recorder |c\.jsonl/, go: /^go |^\.\/recorder-go |go\.jsonl/ };
  let steps = steps_of(page);
  for (const [program, pattern] of Object.entries(needs)) {
    if (has_program(program)) continue;
    console.log(`# ${program} is not installed: its recorder is not tried`);
    steps = steps.filter(({ command }) => !pattern.test(command));
  }
  return steps;
}

test('the first hour is as its page says', () => {
  for (const program of ['redis-server', 'redis-cli', 'python3']) if (!has_program(program)) skip(`${program} is not installed`);
  const { folder, results } = type(steps_here(), ports, { HOME: home() });
  if (process.env.SHOW) for (const { command, out } of results) console.log(`$ ${command}\n${out}`);
  results.forEach(compare);
  const of = (command) => results.find((each) => each.command.startsWith(command));
  equal([of('cairn check primary.jsonl').code, of('cairn check replica.jsonl').code], [0, 1], 'exit codes');
  check(fs.readFileSync(path.join(folder, 'replica.html'), 'utf8').includes('judged: '), 'the page says what was judged');
  check(Number(/^(\d+) of/.exec(of('cairn shrink').out)[1]) < 10, of('cairn shrink').out);
}, { timeout_ms: 150000 });

test('recorders go on under a new process when no answer comes', () => {
  if (!has_program('python3')) skip('python3 is not installed');
  const { out, code } = call_program('python3', [path.join(root, 'examples/recorder.py'), '1', String(ports[7701])]);
  equal(code, 0, 'exit code');
  const events = out.trim().split('\n').map((line) => JSON.parse(line));
  const ended = new Set();
  for (const { process, type } of events) {
    check(!ended.has(process), `process ${process} goes on`);
    if (type === 'info') ended.add(process);
  }
  check(ended.size > 6 && events.every(({ type }) => type === 'invoke' || type === 'info'), 'nothing listens on that port');
});

await run_tests();
