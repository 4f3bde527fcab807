// cairn zk: what it prints, what it refuses, how it goes on when servers do not.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { Cluster, at_exit, binary, call_program, check, equal, run_tests, start_program, test, until } from './lib.mjs';

const cluster = await Cluster.started({ sets: { 'log.segment_mb': 4, 'log.snapshot_log_mb': 4, 'log.snapshot_trailing': 10 } });
const servers = (...nodes) => nodes.map((node) => `127.0.0.1:${cluster.zookeeper(node)}`).join(',');
const ask = (...args) => call_program(binary, ['zk', '--server', servers(1, 2, 3), ...args]);
const told = (...args) => {
  const { code, out, err } = ask(...args);
  equal(code, 0, `${args.join(' ')}: ${out}${err}`);
  return out;
};
const json = (...args) => JSON.parse(told('--json', ...args));
await until('the tree serves', () => ask('ls', '/').code === 0);

test('nodes are created, read, changed and deleted', () => {
  equal(told('create', '/a', 'hello'), '/a\n');
  equal(told('get', '/a'), 'hello');
  check(told('set', '/a', 'two words').startsWith('version 1'), 'set');
  equal(json('get', '-s', '/a').data, 'two words');
  equal(json('stat', '/a').stat.version, 1);
  equal(told('set', '-v', '1', '/a', '--', '--json').startsWith('version 2'), true);
  equal(told('get', '/a'), '--json');
  equal(told('rm', '/a'), '');
});

test('a refusal is exit code 1 and a sentence', () => {
  told('create', '/r');
  told('create', '/r/below');
  for (const [args, says] of [[['get', '/none'], 'there is no node /none'], [['create', '/r'], 'is there already'],
    [['rm', '/r'], 'has children'], [['set', '-v', '7', '/r', 'x'], 'another version']]) {
    const { code, out, err } = ask(...args);
    equal([code, out], [1, ''], args.join(' '));
    check(err.includes(says), err);
  }
  equal(told('rmr', '/r'), '2 deleted\n');
});

test('data goes through byte for byte', () => {
  const bytes = Buffer.from([0, 255, 10, 13, 0, 128, 34]);
  told('create', '/bytes');
  equal(call_program(binary, ['zk', '--server', servers(1), 'set', '/bytes'], { input: bytes }).code, 0);
  const { out } = call_program(binary, ['zk', '--server', servers(2), 'get', '/bytes'], { encoding: 'buffer' });
  check(ask('sync', '/bytes').code === 0 && out.equals(bytes), out.toString('hex'));
  equal(Buffer.from(json('get', '/bytes').data_base64, 'base64'), bytes);
});

test('every kind of node', () => {
  told('create', '/kinds');
  equal(told('create', '-s', '/kinds/s-', 'x'), '/kinds/s-0000000000\n');
  equal(told('create', '-c', '/kinds/c'), '/kinds/c\n');
  equal(told('create', '-t', '3600000', '/kinds/t'), '/kinds/t\n');
  equal(told('ls', '/kinds'), 'c\ns-0000000000\nt\n');
  equal(told('ls', '-R', '/kinds'), '/kinds\n/kinds/c\n/kinds/s-0000000000\n/kinds/t\n');
  equal(json('count', '/kinds').count, 3);
  check(json('ls', '-s', '/kinds').stat.numChildren === 3, 'stat');
});

test('an ephemeral node stays until the command is interrupted', async () => {
  const child = start_program(binary, ['zk', '--server', servers(2), 'create', '-e', '/held', 'mine']);
  await until('it is there', () => ask('get', '/held').code === 0);
  check(json('stat', '/held').stat.ephemeralOwner !== '0x0', 'owner');
  child.kill('SIGINT');
  equal((await child.ended).code, 0, child.text);
  await until('it is gone', () => ask('get', '/held').code === 1);
});

test('rights are shown, set and proved', () => {
  told('create', '/mine', 'secret');
  equal(told('getacl', '/mine'), 'world:anyone:rwcda\n');
  told('--auth', 'digest:me:word', 'setacl', '/mine', 'auth::rwcda');
  equal(ask('get', '/mine').code, 1);
  equal(told('--auth', 'digest:me:word', 'get', '/mine'), 'secret');
  check(json('--auth', 'digest:me:word', 'whoami').identities.includes('digest:me'), 'whoami');
});

test('large trees are listed and deleted many requests at a time', () => {
  const lines = ['create /big'];
  for (let i = 0; i < 30; i++) {
    lines.push(`create /big/${i}`);
    for (let k = 0; k < 20; k++) lines.push(`create /big/${i}/${k} "some data"`);
  }
  const shell = call_program(binary, ['zk', '--server', servers(1)], { input: `${lines.join('\n')}\nquit\n` });
  equal(shell.code, 0, shell.err);
  equal(told('ls', '-R', '/big').trim().split('\n').length, 631);
  equal(json('rmr', '/big').deleted, 631);
});

test('the shell carries out what is typed, and ephemerals live as long as it', async () => {
  const input = 'create -e /shell x\nephemerals\nauth digest a:b\nwhoami\nnonsense\nhelp\nget /none\nquit\n';
  const { code, out, err } = call_program(binary, ['zk', '--server', servers(3)], { input });
  equal(code, 0, err);
  check(out.startsWith('/shell\n/shell\n') && out.includes('digest:a\n') && out.includes('rmr PATH'), out);
  check(err.includes("no command 'nonsense'") && err.includes('no node /none'), err);
  await until('they go with it', () => ask('get', '/shell').code === 1);
});

test('a watch tells everything once and in order, through kills of its servers', async () => {
  told('create', '/w');
  const child = spawn(binary, ['zk', '--json', '--server', servers(1, 2, 3), 'watch', '-r', '/w']);
  at_exit(() => child.kill('SIGKILL'));
  let out = '', err = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  await until('it watches', () => err.includes('watching /w'));
  for (const node of [1, 2, 3]) {
    told('create', `/w/${node}`);
    await cluster.kill(node);
    await until('others serve', () => ask('set', `/w/${node}`, 'x').code === 0);
    await cluster.start(node);
    await until('all serve', () => call_program(binary, ['zk', '--server', servers(node), 'set', `/w/${node}`, 'y']).code === 0);
  }
  told('create', '/w/last');
  await until('the last is told', () => out.includes('/w/last'));
  const events = out.trim().split('\n').map((line) => JSON.parse(line));
  equal(events.filter((each) => each.event === 'created').map((each) => each.path), ['/w/1', '/w/2', '/w/3', '/w/last']);
  check(err.includes('goes on at'), err);
  child.kill('SIGINT');
});

const past = (node, where) => {
  const { code, out, err } = call_program(binary, ['zk', '--json', 'history', where, '--dir', cluster.dir(node)]);
  equal(code, 0, err);
  return JSON.parse(out);
};

test('history tells what happened to a path, by whom, from a node that runs', () => {
  told('create', '/h', 'one');
  told('set', '/h', 'two');
  told('setacl', '/h', 'world:anyone:rwcda,ip:127.0.0.1:r');
  told('create', '/h/child');
  told('rmr', '/h');
  told('sync', '/');
  const found = [1, 2, 3].map((node) => past(node, '/h')).find((each) => each.changes.length === 6);
  check(found, 'one node at least has all of it');
  equal(found.changes.map((each) => [each.event, each.operation]), [['created', 'create'], ['changed', 'set_data'],
    ['rights', 'set_acl'], ['children', 'create'], ['children', 'delete'], ['deleted', 'delete']]);
  equal(found.changes[1].data, 'two');
  check(found.changes.every((each) => /^0x[0-9a-f]+$/.test(each.zxid) && /^0x[0-9a-f]+$/.test(each.session)), 'who and when');
});

test('history goes back to the snapshot, and says so', async () => {
  told('create', '/old', 'kept');
  const input = 'x'.repeat(1000000);
  await until('a snapshot', () => {
    for (let i = 0; i < 4; i++) equal(call_program(binary, ['zk', '--server', servers(1), 'set', '/kinds'], { input }).code, 0);
    return !past(1, '/old').from_the_beginning;
  }, 30000);
  told('set', '/old', 'new');
  await cluster.kill(1, 'SIGTERM');
  const found = past(1, '/old');
  equal([found.before.data, found.changes.map((each) => each.data)], ['kept', ['new']]);
  check(/^0x[1-9a-f]/.test(found.since_zxid), found.since_zxid);
  equal(call_program(binary, ['inspect', cluster.dir(1)]).code, 0, 'nothing was changed');
});

run_tests();
