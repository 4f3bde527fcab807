// cairn torture: short runs with real processes, real faults and a verdict.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { binary, cairn, check, equal, has_program, root, run_tests, skip, sleep, start_program, temporary_folder, test, until } from './lib.mjs';

const plan = (name) => path.join(root, 'plans', `${name}.ini`);
const run_folder = () => path.join(temporary_folder(), 'run');
const events = (dir) => fs.readFileSync(path.join(dir, 'history.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const processes_of = (dir) => spawnSync('pgrep', ['-f', dir], { encoding: 'utf8' }).stdout.trim();

test('cairn under partitions and kills is linearizable', () => {
  const dir = run_folder();
  const { code, out, err } = cairn('torture', '--plan', plan('partition-and-kill'), '--time', '9', '--heal', '1', '--dir', dir);
  equal(code, 0, `${out}${err}`);
  check(/kill leader -> node \d/.test(out) && /isolate leader -> node \d/.test(out), out);
  check(/linearizable holds/.test(out), out);
  equal(processes_of(dir), '', 'processes that are left');
});

test("cairn's tree under the same faults is linearizable with sync, by ZooKeeper's clients", () => {
  const dir = run_folder();
  const { code, out, err } = cairn('torture', '--target', 'cairn-tree', '--sync', '--plan', plan('partition-and-kill'), '--time', '9', '--heal', '1', '--dir', dir);
  equal(code, 0, `${out}${err}`);
  check(/kill leader -> node \d/.test(out) && /isolate leader -> node \d/.test(out), out);
  check(/linearizable holds/.test(out), out);
});

test('without sync sequential is what is judged', () => {
  const { code, out, err } = cairn('torture', '--target', 'cairn-tree', '--time', '2', '--heal', '1', '--dir', run_folder());
  equal(code, 0, `${out}${err}`);
  check(/sequential holds/.test(out), out);
});

test('its history has every operation once, and the faults', () => {
  const dir = run_folder();
  const { code, out } = cairn('torture', '--plan', plan('pause'), '--time', '4', '--heal', '1', '--workload', 'append', '--dir', dir);
  equal(code, 0, out);
  const open = new Map();
  let index = 0, last = 0, faults = 0;
  for (const event of events(dir)) {
    equal(event.index, index++, 'index');
    check(event.time >= last, 'time goes back');
    last = event.time;
    if (event.process === 'nemesis') faults++;
    else if (event.type === 'invoke') {
      check(!open.has(event.process), 'one operation at a time');
      open.set(event.process, event);
    } else {
      check(open.get(event.process)?.f === event.f, 'the completion fits');
      if (event.type === 'info') open.set(event.process, {}); // never used again
      else open.delete(event.process);
    }
  }
  check(faults >= 4 && index > 1000, `${faults} faults, ${index} events`);
});

test('asynchronous replication of Redis loses an update, and the judge finds it', () => {
  if (!has_program('redis-server')) skip('redis-server is not installed');
  const dir = run_folder();
  const { code, out, err } = cairn('torture', '--plan', plan('redis-lost-update'), '--time', '9', '--heal', '1', '--dir', dir);
  equal(code, 1, `${out}${err}`);
  check(/the manager appoints node \d in place of node 1/.test(out), out);
  check(/linearizable violated/.test(out), out);
});

test('cairn under the plan of the lost update loses nothing', () => {
  const dir = run_folder();
  const { code, out, err } = cairn('torture', '--target', 'cairn', '--plan', plan('redis-lost-update'), '--time', '9', '--heal', '1', '--dir', dir);
  equal(code, 0, `${out}${err}`);
});

test('loss of power loses nothing that was acknowledged', () => {
  const dir = run_folder();
  const { code, out, err } = cairn('torture', '--plan', plan('lost-writes'), '--time', '8', '--heal', '1', '--dir', dir);
  equal(code, 0, `${out}${err}`);
  check(/node \d lost \d+ unsynced writes/.test(out), out);
});

test("what can't be carried out is told", () => {
  const file = path.join(temporary_folder(), 'plan.ini');
  const torture = (text, ...args) => {
    fs.writeFileSync(file, text);
    return cairn('torture', '--plan', file, '--dir', run_folder(), ...args);
  };
  const late = '[fault late]\ndo = kill\nat = 50s\n', early = '[fault early]\ndo = pause\nat = 100ms\nfor = 100ms\nnodes = 1\n';
  const never = torture(late, '--time', '2');
  check(never.code === 3 && /no fault of this plan would be carried out/.test(never.err), never.err);
  const one = torture(late + early, '--time', '2', '--heal', '1');
  equal(one.code, 0, `${one.out}${one.err}`);
  check(/the fault late is never carried out: its time, 50\.0 s, is not before the end, 2\.0 s/.test(one.err), one.err);
  check(/: linearizable holds for \d+ operations of \d+ processes on \d+ keys.*; \d+ reads with an answer \(seed/.test(one.out), one.out);
  const unknown = torture('[fault x]\ndo = kilt\n');
  check(unknown.code === 3 && /there is no fault 'kilt'; there are: kill power pause/.test(unknown.err), unknown.err);
  const workload = cairn('torture', '--workload', 'chess');
  check(workload.code === 3 && /there is no workload 'chess'; there are: register cas append/.test(workload.err), workload.err);
});

test('a signal ends a run in order, with the verdict of what was recorded', async () => {
  const dir = run_folder();
  const child = start_program(binary, ['torture', '--time', '60', '--dir', dir]);
  await until('clients begin', () => child.text.includes('clients begin'));
  await sleep(500);
  child.kill('SIGINT');
  const { code } = await child.ended;
  equal(code, 0, child.text);
  check(/stopped by a signal/.test(child.text) && /linearizable holds/.test(child.text), child.text);
  equal(processes_of(dir), '', 'processes that are left');
});

test('what can not be done is said, with exit code 3', () => {
  const bad = path.join(temporary_folder(), 'bad.ini');
  fs.writeFileSync(bad, '[fault a]\ndo = explode\n');
  const used = temporary_folder();
  fs.writeFileSync(path.join(used, 'history.jsonl'), '');
  for (const [args, words] of [
    [['--target', 'oracle'], 'no target'], [['--workload', 'chess'], 'no workload'], [['--plan', '/nonexistent'], 'can\'t read'], [['--plan', bad], 'line 2'],
    [['--nodes', '10'], '--nodes'], [['--clients', '501'], '--clients'], [['--dir', used], 'another run'], [['--nosuch'], 'nosuch'], [['operand'], 'operand'],
    [['--addresses', 'nonsense'], 'HOST:PORT'], [['--addresses', ''], 'HOST:PORT'], [['--addresses', Array.from({ length: 10 }, (_, i) => `127.0.0.1:${i + 1}`).join()], '9 at most'], [['--dir', `${used}/history.jsonl/run`], 'Not a directory'],
  ]) {
    const { code, err } = cairn('torture', ...args);
    equal(code, 3, args.join(' '));
    check(err.includes(words), err);
  }
});

test('servers that are not there are named at once, in whatever folder', async () => {
  const deaf = await new Promise((resolve) => {
    const server = net.createServer(() => {}).listen(0, '127.0.0.1', () => resolve(server));
  });
  const dir = path.join(temporary_folder(), 'a', 'b', 'c');
  const tries = [];
  for (const [address, words] of [['127.0.0.1:1', 'refused'], [`127.0.0.1:${deaf.address().port}`, 'no answer']])
    for (const target of ['cairn', 'zookeeper']) tries.push((async () => {
      const child = start_program(binary, ['torture', '--target', target, '--time', '1', '--addresses', address, '--dir', `${dir}-${target}-${words}`]);
      const ended = await Promise.race([child.ended, sleep(20000)]);
      check(ended !== undefined && ended.code === 3 && child.text.includes(`${address} does not answer as a server of ${target}: ${words}`), child.text);
    })());
  await Promise.all(tries);
  deaf.close();
});

await run_tests();
