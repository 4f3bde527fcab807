// What a node promised, and what it may not believe: settings that differ, hard states and logs that are
// gone, wall clocks that are wrong, founders who were told other members, leftover folders.
import fs from 'node:fs';
import path from 'node:path';
import { Cluster, binary, call_program, check, equal, here, run_tests, sleep, temporary_folder, test, until } from './lib.mjs';

async function with_cluster(options, run) {
  const cluster = await Cluster.make(options);
  await cluster.start_all(options.first ?? {});
  await run(cluster);
}

const agreed = async (cluster, id) => {
  const client = await cluster.client(id);
  const list = await client.call('CAIRN.PARAMETER', 'LIST');
  client.close();
  return list;
};
const until_agreed = (cluster) => until('parameters are agreed', async () => {
  for (const id of cluster.ids())
    if ((await agreed(cluster, id)).some(([, , , revision]) => revision === 0)) return false;
  return true;
});

async function all_equal(cluster, ...command) {
  const replies = [];
  for (const id of cluster.ids()) {
    const client = await cluster.client(id);
    replies.push(JSON.stringify(await client.call(...command)));
    client.close();
  }
  check(replies.every((reply) => reply === replies[0]), `${command.join(' ')}: ${replies.join(', ')}`);
  return JSON.parse(replies[0]);
}

async function same_digests(cluster) {
  await until('digests are equal', async () => {
    const all = await Promise.all(cluster.ids().map((id) => cluster.status(id)));
    return all[0].keyspaces.every((keyspace, at) => all.every((each) =>
      each.keyspaces[at].digest === keyspace.digest && each.keyspaces[at].applied_index === keyspace.applied_index));
  });
}

test('a setting of one node changes no result: not at a rolling restart, nor when its log is read again', () => with_cluster({}, async (cluster) => {
  await until_agreed(cluster);
  let client = await cluster.client(1);
  equal(await client.call('SETRANGE', 'doc', 2000000, 'x'), 2000001);
  client.close();
  for (const id of cluster.ids()) await cluster.kill(id, 'SIGTERM');
  const smaller = { 'redis.value_max_mb': 1, 'session.window': 4 };
  await Promise.all([cluster.start(1, smaller), cluster.start(2, smaller), cluster.start(3)]);
  equal(await all_equal(cluster, 'STRLEN', 'doc'), 2000001);
  client = await cluster.client(1);
  const session = await client.call('CAIRN.SESSION');
  for (const sequence of [1, 10]) equal(await client.call('CAIRN.ONCE', session, sequence, 'INCR', 'x'), sequence === 1 ? 1 : 2);
  equal(await all_equal(cluster, 'GET', 'x'), '2');
  // Node 2 has the whole 64 MB setting's log; a value that only the agreed limit allows.
  client.close();
  client = await cluster.client(3);
  equal(await client.call('SETRANGE', 'two', 1999999, 'x'), 2000000);
  equal(await all_equal(cluster, 'STRLEN', 'two'), 2000000);
  await same_digests(cluster);
  check(cluster.logs[1].includes('CAIRN.PARAMETER SET'), 'a configuration that is not in force is said');
  // An operator changes it for all.
  equal(await client.call('CAIRN.PARAMETER', 'SET', 'kv', 'value-max-mb', 1), 'OK');
  const refused = await client.call('SETRANGE', 'three', 1999999, 'x').catch((error) => error);
  check(refused instanceof Error, `beyond the new limit: ${refused}`);
  check((await all_equal(cluster, 'STRLEN', 'doc')) === 2000001, 'what is there stays');
  client.close();
  await same_digests(cluster);
  await cluster.stop_all();
}));

async function loses(cluster, id, what, told) {
  const client = await cluster.client(id === 1 ? 2 : 1);
  await client.call('SET', 'before', what);
  await cluster.kill(id, 'SIGKILL'); // it may have led: then a write's fate may be unknown
  await until('a write without it', async () => (await client.ask('SET', 'meanwhile', what)) === 'OK');
  fs.rmSync(path.join(cluster.dir(id), what), { recursive: true });
  cluster.logs[id] = '';
  await cluster.start(id);
  await until(`node ${id} is whole again`, async () => {
    const status = await cluster.status(id);
    return status.health === 'ok' && status.keyspaces.every((keyspace) => keyspace.health === 'ok' &&
      keyspace.members.find((member) => member.id === id)?.role === 'voter');
  });
  check(cluster.logs[id].includes(told), `the log says "${told}": ${cluster.logs[id]}`);
  client.close();
  equal(await all_equal(cluster, 'GET', 'meanwhile'), what);
  await same_digests(cluster);
}

test('hard states that are gone, and a log that is gone, are losses that the others make good', () => with_cluster({}, async (cluster) => {
  await until_agreed(cluster);
  await loses(cluster, 2, 'log/log.hard', 'are lost');
  await loses(cluster, 3, 'log', 'is gone');
  await cluster.stop_all();
}), { timeout_ms: 90000 });

test('a lone node whose log is gone does not begin anew', () => with_cluster({ nodes: 1 }, async (cluster) => {
  const client = await cluster.client(1);
  equal(await client.call('SET', 'k', 'v'), 'OK');
  client.close();
  await cluster.kill(1, 'SIGTERM');
  fs.rmSync(path.join(cluster.dir(1), 'log'), { recursive: true });
  cluster.spawn(1, { 'cluster.bootstrap': 'yes' });
  await until('it says why it waits', () => cluster.logs[1].includes('is gone'));
  await sleep(1000);
  equal((await cluster.status(1)).leader, 0);
}));

function wall_clock_shim() {
  const shim = path.join(temporary_folder(), 'wall_clock.so');
  const built = call_program('cc', ['-shared', '-fPIC', '-o', shim, path.join(here, 'wall_clock.c')]);
  equal(built.code, 0, built.err);
  return shim;
}

/** Starts a node whose wall clock is off by so many seconds. */
async function start_off(cluster, id, shim, seconds) {
  process.env.LD_PRELOAD = shim;
  process.env.WALL_OFFSET_S = `${seconds}`;
  try {
    cluster.spawn(id);
  } finally {
    delete process.env.LD_PRELOAD;
    delete process.env.WALL_OFFSET_S;
  }
  await cluster.ready(id);
}

async function lead(cluster, id) {
  await until(`node ${id} leads kv`, async () => {
    if ((await cluster.status(id)).leader === id) return true;
    const client = await cluster.client(id);
    await client.call('CAIRN.LEADER', 'TRANSFER', id).catch(() => 0);
    client.close();
    await sleep(200);
    return false;
  });
}

test('one wrong wall clock ends no key, whichever node leads; it is shown', () => with_cluster({}, async (cluster) => {
  await until_agreed(cluster);
  const shim = wall_clock_shim();
  let client = await cluster.client(2);
  await client.call('SET', 'ex', 'v', 'EX', 1000);
  for (const [seconds, id] of [[86400, 1], [-86400, 3]]) {
    await cluster.kill(id, 'SIGTERM');
    await start_off(cluster, id, shim, seconds);
    await lead(cluster, id);
    equal(await all_equal(cluster, 'GET', 'ex'), 'v');
    const left = Number(await client.call('TTL', 'ex'));
    check(left > 900 && left <= 1000, `${left} s left`);
    await until('the clock is shown', () => cluster.logs[id].includes(seconds > 0 ? 's ahead of replicated time' : 's behind replicated time'));
    check(Math.abs((await cluster.status(id)).keyspaces[0].clock_off_ms - seconds * 1000) < 60000, 'status tells by how much');
    equal(await client.call('SET', 'soon', 'v', 'EXAT', Math.floor(Date.now() / 1000) + 3600), 'OK');
    equal(await client.call('GET', 'soon'), 'v');
    await cluster.kill(id, 'SIGTERM');
    await cluster.start(id);
  }
  client.close();
  await cluster.stop_all();
}), { timeout_ms: 120000 });

test('time that ran ahead with the clocks of all is brought back by an operator', () => with_cluster({}, async (cluster) => {
  await until_agreed(cluster);
  const shim = wall_clock_shim();
  for (const id of cluster.ids()) await cluster.kill(id, 'SIGTERM');
  await Promise.all(cluster.ids().map((id) => start_off(cluster, id, shim, 10 * 86400)));
  let client = await cluster.client(1);
  await client.call('SET', 'k', 'v');
  client.close();
  for (const id of cluster.ids()) await cluster.kill(id, 'SIGTERM');
  await cluster.start_all();
  client = await cluster.client(1);
  const soon = () => Math.floor(Date.now() / 1000) + 3600;
  await client.call('SET', 'soon', 'v', 'EXAT', soon());
  equal(await client.call('GET', 'soon'), null, 'time is days ahead');
  await until('it is shown', () => cluster.logs[1].includes('s behind replicated time'));
  for (const keyspace of ['kv', 'tree']) equal(await client.call('CAIRN.TIME', 'BACK', keyspace, Date.now()), 'OK');
  const again = await client.call('CAIRN.TIME', 'BACK', 'kv', Date.now() + 1e6).catch((error) => error);
  check(again instanceof Error, 'forwards is refused');
  await client.call('SET', 'soon', 'v', 'EXAT', soon());
  equal(await client.call('GET', 'soon'), 'v');
  await client.call('SET', 'short', 'v', 'PX', 1000);
  await sleep(1500);
  equal(await client.call('GET', 'short'), null, 'time goes on at its pace');
  check(Math.abs((await cluster.status(1)).keyspaces[0].clock_off_ms) < 10000, 'and is the clocks\'');
  client.close();
  await same_digests(cluster);
  await cluster.stop_all();
}), { timeout_ms: 120000 });

test('a replica whose state differs stops, keeps the evidence, and is rebuilt from the others', () => with_cluster({}, async (cluster) => {
  await until_agreed(cluster);
  await cluster.kill(2, 'SIGTERM');
  await cluster.start(2, { 'test.mutant': 'skips-an-entry' });
  const client = await cluster.client(1);
  for (let at = 0; at < 80; at++) await client.call('SET', `key:${at}`, at);
  const end = await cluster.children[2].ended;
  check(end.code !== 0, 'it ends with a failure');
  check(cluster.logs[2].includes('differs from that of a majority'), cluster.logs[2]);
  equal(await client.call('SET', 'others', 'go on'), 'OK');
  await cluster.start(2);
  await until('it is rebuilt', async () => (await cluster.status(2)).health === 'ok');
  check(fs.existsSync(path.join(cluster.dir(2), 'diverged/log/log.control')), 'the evidence is kept');
  for (let at = 0; at < 80; at += 10) equal(await all_equal(cluster, 'GET', `key:${at}`), `${at}`);
  await same_digests(cluster);
  client.close();
  await cluster.stop_all();
}), { timeout_ms: 90000 });

// The same on Zab: what is skipped may be a node, or the beginning or the end of a session.
test('a replica of the tree whose state differs stops, and is rebuilt from the others', () => with_cluster({}, async (cluster) => {
  await until_agreed(cluster);
  await cluster.kill(2, 'SIGTERM');
  await cluster.start(2, { 'test.mutant': 'skips-an-entry' });
  const zk = (id, ...words) => call_program(binary, ['zk', '--server', `127.0.0.1:${cluster.zookeeper(id)}`, ...words]);
  for (let at = 0; at < 30; at++) equal(zk(1, 'create', `/node-${at}`, `${at}`).code, 0, `node ${at}`);
  const end = await cluster.children[2].ended;
  check(end.code !== 0, 'it ends with a failure');
  check(/tree: this replica's state differs from that of a majority/.test(cluster.logs[2]), cluster.logs[2]);
  equal(zk(3, 'create', '/others', 'go on').code, 0);
  await cluster.start(2);
  await until('it is rebuilt', async () => (await cluster.status(2)).health === 'ok');
  check(fs.existsSync(path.join(cluster.dir(2), 'diverged/log/log.control')), 'the evidence is kept');
  for (let at = 0; at < 30; at += 7) equal(zk(2, 'get', `/node-${at}`).out.trim(), `${at}`);
  await same_digests(cluster);
  await cluster.stop_all();
}), { timeout_ms: 90000 });

test('replicas that differ without an agreeing majority serve nothing, and say so', () => with_cluster({ nodes: 2 }, async (cluster) => {
  await until_agreed(cluster);
  await cluster.kill(2, 'SIGTERM');
  await cluster.start(2, { 'test.mutant': 'skips-an-entry' });
  const client = await cluster.client(1);
  for (let at = 0; at < 80; at++) await client.call('SET', `key:${at}`, at);
  await until('both say it', async () => (await Promise.all([1, 2].map((id) => cluster.status(id)))).every((each) => each.health.startsWith('replicas differ')));
  for (const id of [1, 2]) {
    const asker = await cluster.client(id);
    const reply = await asker.call('GET', 'key:1').catch((error) => error);
    check(`${reply}`.includes('DAMAGED'), `node ${id} answers ${reply}`);
    asker.close();
  }
  client.close();
}), { timeout_ms: 90000 });

test('founders who were told other members do not work together, and say so', async () => {
  const cluster = await Cluster.make({ nodes: 3 });
  const two = cluster.ids().slice(0, 2).map((id) => `${id}=127.0.0.1:${cluster.peer(id)}`).join(' ');
  cluster.spawn(1, { 'cluster.bootstrap': 'yes', 'cluster.members': two });
  cluster.spawn(3, { 'cluster.bootstrap': 'yes' });
  await until('it is said', () => cluster.logs[3]?.includes('cluster.members must be the same') ||
    cluster.logs[1]?.includes('cluster.members must be the same'));
});

test('a leftover folder of an earlier cluster of that name is not let in', async () => {
  const old = await Cluster.started({ nodes: 3 });
  await until_agreed(old);
  let client = await old.client(1);
  await client.call('SET', 'k', 'of the old cluster');
  client.close();
  await until('its number is known', async () => old.ids().every((id) => fs.readFileSync(path.join(old.dir(id), 'identity')).readBigUInt64LE(56) !== 0n));
  await old.stop_all();
  for (const id of [1, 2]) fs.rmSync(old.dir(id), { recursive: true });
  for (const id of [1, 2]) old.spawn(id, { 'cluster.bootstrap': 'yes' });
  client = await until('the new cluster listens', () => old.client(1).catch(() => false));
  await until('the new cluster serves', async () => (await client.call('SET', 'k', 'new').catch(() => 0)) === 'OK');
  old.spawn(3);
  await until('it is refused', () => `${old.logs[1]}${old.logs[2]}${old.logs[3]}`.includes('another cluster of the same name'));
  const stale = await until('node 3 listens', () => old.client(3).catch(() => false));
  const reply = await stale.call('GET', 'k').catch((error) => error);
  check(reply !== 'of the old cluster', `node 3 answers ${reply}`);
  client.close();
  stale.close();
}, { timeout_ms: 90000 });

await run_tests();
