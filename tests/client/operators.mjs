// Operators' commands: by the admin port, with a token, whatever becomes of the Redis port.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Client, Cluster, await_program, binary, call_program, check, encode, equal, http, run_tests, temporary_folder, test, until } from './lib.mjs';

/** As an operator who has set nothing in the environment, in a folder of no cluster. */
const elsewhere = temporary_folder();
const env = { ...process.env };
delete env.CAIRN_TOKEN_FILE;
const operator = (...args) => call_program(binary, args.map(String), { env, cwd: elsewhere });
const own_tokens = { 'admin.token_file': '' };
const token_of = (cluster, node) => path.join(cluster.dir(node), 'token');
const at = (cluster, node) => ['--node', `127.0.0.1:${cluster.admin(node)}`];

const cluster = await Cluster.started({ sets: { ...own_tokens, 'redis.password': 'a password', 'redis.clients_max': 20 } });
const leader = await cluster.leader();
const follower = cluster.ids().find((id) => id !== leader);

test('a node makes its token at its first start, for its owner alone, and keeps it', async () => {
  const tokens = cluster.ids().map((id) => fs.readFileSync(token_of(cluster, id), 'utf8'));
  for (const id of cluster.ids()) equal(fs.statSync(token_of(cluster, id)).mode & 0o777, 0o600);
  check(tokens.every((each) => /^[0-9a-f]{64}\n$/.test(each)) && new Set(tokens).size === 3, 'tokens are long, and differ');
  equal(fs.readdirSync(cluster.dir(1)).filter((name) => name.includes('token')), ['token']);
});

test('with a password, and with no connection of Redis left: status, members and leaders', async () => {
  const held = await Promise.all(cluster.ids().flatMap((id) => Array.from({ length: 25 }, () => Client.open(cluster.redis(id)).catch(() => null))));
  const status = operator('status', ...at(cluster, 1));
  equal(status.code, 0, status.out + status.err);
  const list = operator('member', 'list', ...at(cluster, 2));
  check(/^node +address +member +role$/m.test(list.out) && list.out.split('\n').length === 5, list.out);
  const moved = operator('leader', 'transfer', follower, ...at(cluster, follower), '--token-file', token_of(cluster, follower));
  equal(moved.out, 'OK\n', moved.err);
  equal(await cluster.leader(), follower);
  const refused = operator('member', 'add', follower, `127.0.0.1:${cluster.peer(follower)}`, ...at(cluster, leader), '--token-file', token_of(cluster, leader));
  equal([refused.code, refused.out], [1, '(error) ERR that id is a member already\n']);
  held.forEach((client) => client?.close());
});

test('the token: wrong, absent, of another node, read by GET, from another site: nothing is changed', async () => {
  const before = await cluster.leader();
  const others = cluster.ids().find((id) => id !== before);
  const url = `http://127.0.0.1:${cluster.admin(before)}/leader/transfer/${others}`;
  const token = fs.readFileSync(token_of(cluster, before), 'utf8').trim();
  const statuses = [];
  for (const authorization of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${token}0`, `Bearer ${token.slice(1)}`, token, `Basic ${token}`, `Bearer ${fs.readFileSync(token_of(cluster, others), 'utf8').trim()}`])
    statuses.push((await fetch(url, { method: 'POST', body: 'token=' + token, headers: { ...(authorization === undefined ? {} : { authorization }), cookie: `token=${token}` } })).status);
  equal([...new Set(statuses)], [401], statuses.join(' '));
  equal((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status, 405, 'GET');
  equal((await fetch(url, { method: 'OPTIONS', headers: { origin: 'http://x', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } })).status, 405, 'OPTIONS');
  const without = operator('leader', 'transfer', ...at(cluster, before));
  equal(without.code, 1);
  check(without.err.includes('NOTOKEN') && without.err.includes('--token-file'), without.err);
  const other = operator('leader', 'transfer', ...at(cluster, before), '--token-file', token_of(cluster, others));
  check(other.code === 1 && other.err.includes("another node's"), other.err);
  equal(operator('leader', 'transfer', ...at(cluster, before), '--token-file', '/nonexistent').code, 1);
  equal(await cluster.leader(), before);
  equal((await cluster.metric(before, 'cairn_admin_refused_total')) > 9, true);
});

test('shell and bench take the password from a file or the environment, and say so without', async () => {
  const file = path.join(elsewhere, 'password'), wrong = path.join(elsewhere, 'wrong');
  fs.writeFileSync(file, 'a password\nand no more\n');
  fs.writeFileSync(wrong, 'another');
  const node = ['--node', `127.0.0.1:${cluster.redis(1)}`];
  const without = operator('shell', ...node, 'set', 'a', '1');
  equal([without.code, without.out], [1, '(error) NOAUTH Authentication required.\n']);
  check(without.err.includes('--password-file'), without.err);
  equal(operator('shell', ...node, '--password-file', file, 'set', 'a', '1').out, 'OK\n');
  equal(call_program(binary, ['shell', ...node], { env: { ...env, CAIRN_PASSWORD: 'a password' }, input: 'get a\nget a\n' }).out, '"1"\n"1"\n');
  const refused = operator('shell', '--password-file', wrong, ...node, 'set', 'a', '2');
  check(refused.code === 1 && refused.out.includes('WRONGPASS'), refused.out);
  const bench = operator('bench', ...node, '--password-file', file, '--requests', 100, '--clients', 5, '--json');
  equal(JSON.parse(bench.out).ops, 100, bench.err);
  const guess = operator('bench', ...node, '--password-file', wrong, '--requests', 100);
  check(guess.code === 1 && guess.out.includes('WRONGPASS'), guess.out + guess.err);
  for (const bad of ['/nonexistent', '/dev/null', elsewhere]) equal(operator('shell', '--password-file', bad, 'ping').code, 3, bad);
  equal(operator('shell', '--password-file').err.includes('wants a value'), true);
});

test('bench where no server is ends at once, and says so', async () => {
  for (const where of [['--node', '127.0.0.1:1'], ['--zookeeper', '127.0.0.1:1,127.0.0.1:2']]) {
    const { code, out, err } = call_program(binary, ['bench', ...where, '--seconds', '1'], { timeout: 5000 });
    check(code === 1 && `${out}${err}`.includes('no answer from 127.0.0.1:1: refused') && !/[1-9]\.?\d* s,/.test(out), out + err);
  }
});

test('bench --floor makes its folder', async () => {
  const { code, err } = operator('bench', '--floor', path.join(elsewhere, 'floor'), '--seconds', '1');
  equal(code, 0, err);
  check(operator('bench', '--floor', '/proc/nowhere', '--seconds', '1').err.includes("can't make /proc/nowhere: No such file"), 'why');
});

test('SIGHUP reads the token again; until then the former counts', async () => {
  const [path_of, node] = [token_of(cluster, 3), at(cluster, 3)];
  const old = path.join(elsewhere, 'old');
  fs.copyFileSync(path_of, old);
  fs.writeFileSync(path_of, 'another-token\n');
  const cancel = (file) => operator('member', 'cancel', ...node, '--token-file', file);
  equal(cancel(old).out, '(error) ERR no change of members is under way\n');
  cluster.children[3].kill('SIGHUP');
  await until('the new token counts', () => cancel(path_of).out.includes('no change'));
  equal(cancel(old).err.includes('NOTOKEN'), true);
});

test('a Redis port leads to the admin port; what is no port of cairn is told so', async () => {
  equal(operator('status', '--node', `127.0.0.1:${cluster.redis(2)}`).code, 0);
  const wrong = operator('status', '--node', `127.0.0.1:${cluster.zookeeper(1)}`);
  check(wrong.code === 1 && wrong.err.includes('is no admin port of cairn'), wrong.err);
  for (const address of ['nonsense', ':7201', '127.0.0.1:', '127.0.0.1:0', '127.0.0.1:70000', '', ','])
    for (const command of [['status'], ['member', 'list'], ['leader', 'transfer']]) {
      const { code, err } = operator(...command, '--node', address);
      check(code === 3 && err.includes('HOST:PORT'), `${address}: ${err}`);
    }
  const silent = net.createServer(() => {}).listen(0, '127.0.0.1');
  await until('it listens', () => silent.listening);
  const late = await await_program(binary, ['status', '--node', `127.0.0.1:${silent.address().port}`], { env });
  check(late.code === 1 && late.out.includes('timed out'), late.out);
  silent.close();
});

test('one that is asked and does not answer holds up nobody, and status believes the others about the leader', async () => {
  const now = await cluster.leader();
  cluster.children[now].kill('SIGSTOP');
  try {
    const list = await until('another leads', async () => {
      const told = await await_program(binary, ['status', '--node', cluster.ids().map((id) => `127.0.0.1:${cluster.admin(id)}`).join(',')], { env });
      return /leader .*ok$/m.test(told.out) && told;
    });
    equal(list.code, 1);
    check(list.out.includes('no answer'), list.out);
  } finally {
    cluster.children[now].kill('SIGCONT');
  }
  await until('health', () => operator('status', ...at(cluster, 1)).code === 0);
});

test('questions without a token wait for a majority in no great number', async () => {
  const asked = await Promise.all(Array.from({ length: 60 }, () => http(cluster.admin(1), '/member/status')));
  check(asked.every(({ status, text }) => status === 200 && JSON.parse(text).answer[0].includes('no change of members')), 'answers');
});

test('changes that wait hold no place of other visitors, and end as the command tells', async () => {
  const file = ['--token-file', token_of(cluster, 1)];
  const waits = await_program(binary, ['member', 'add', '4', `127.0.0.1:${cluster.peer(4)}`, ...at(cluster, 1), ...file], { env });
  await until('it is under way', () => operator('member', 'status', ...at(cluster, 1)).out.startsWith('change'));
  for (let i = 0; i < 100; i++) equal((await http(cluster.admin(1), '/health')).status, 200);
  equal(operator('member', 'cancel', ...at(cluster, 1), ...file).out, 'OK\n');
  const { code, out } = await waits;
  check(code === 1 && out.includes('cancelled'), out);
});

test('a node stops at once while changes wait for their end', async () => {
  const waits = await_program(binary, ['member', 'add', '4', `127.0.0.1:${cluster.peer(4)}`, ...at(cluster, 1), '--token-file', token_of(cluster, 1)], { env });
  await until('it is under way', () => operator('member', 'status', ...at(cluster, 2)).out.startsWith('change'));
  cluster.children[1].kill('SIGTERM');
  equal((await cluster.children[1].ended).code, 0, cluster.children[1].text);
  equal((await waits).code, 1);
  await cluster.stop_all();
});

test('without Redis: served, changed, and found by its folder of cairn dev', async () => {
  const none = await Cluster.started({ nodes: 1, sets: { ...own_tokens, 'redis.listen': '' } });
  check(none.children[1].text.includes('redis=none'), none.children[1].text);
  fs.writeFileSync(path.join(none.folder, 'node-1.ini'), `[node]\nid = 1\ndir = ${none.dir(1)}\n[admin]\nlisten = 127.0.0.1:${none.admin(1)}\n`);
  equal(operator('status', '--dir', none.folder).code, 0);
  equal(call_program(binary, ['status'], { env, cwd: none.folder }).code, 1, 'not in a folder of another name');
  fs.symlinkSync(none.folder, path.join(elsewhere, 'cairn-data'));
  const { out, err } = operator('leader', 'transfer', 1);
  equal(out, 'OK\n', err);
  equal(JSON.parse((await http(none.admin(1), '/status')).text).cluster_name, none.name);
  check(operator('status', '--dir', elsewhere).err.includes('no folder of cairn dev'), 'another folder');
  await none.stop_all();
});

run_tests();
