// Real processes that are killed, stopped, restarted, replaced, cut off and filled up, under load.
import fs from 'node:fs';
import path from 'node:path';
import { Client, Cluster, ErrorReply, binary, cairn, call_program, check, equal, http, parse, run_tests, skip, sleep,
  start_program, temporary_folder, test, until } from './lib.mjs';

const NOT_EXECUTED = /^(CLUSTERDOWN|TRYAGAIN|BUSY|SHUTDOWN|MISCONF|LOADING)/;

/** Writers that retry like a careful client: each key is written once with a value of its own, and
 *  what was acknowledged must be there afterwards. */
class Load {
  constructor(cluster, { writers = 4, nodes = cluster.ids(), prefix = 'load' } = {}) {
    Object.assign(this, { cluster, nodes, prefix, acked: [], unknown: 0, refused: 0, errors: {}, stopped: false, gap_ms: 0, last: Date.now() });
    this.done = Promise.all(Array.from({ length: writers }, (_, i) => this.#write(i)));
  }
  #acknowledged(key) {
    this.acked.push(key);
    const now = Date.now();
    this.gap_ms = Math.max(this.gap_ms, now - this.last);
    this.last = now;
  }
  async #write(writer) {
    let client, turn = writer;
    for (let n = 0; !this.stopped; n++) {
      const key = `${this.prefix}:${writer}:${n}`;
      try {
        client ??= await Client.open(this.cluster.redis(this.nodes[turn++ % this.nodes.length]));
        const reply = await client.ask('SET', key, key);
        if (reply === 'OK') {
          this.#acknowledged(key);
          continue;
        }
        const code = String(reply.message).split(' ')[0];
        this.errors[code] = (this.errors[code] ?? 0) + 1;
        if (NOT_EXECUTED.test(reply.message)) this.refused++;
        else this.unknown++;
      } catch {
        this.unknown++;
      }
      client?.close();
      client = undefined;
      await sleep(10);
    }
    client?.close();
  }
  async stop() {
    this.stopped = true;
    await this.done;
  }
  /** Every acknowledged write is there, on the node asked. */
  async verify(node) {
    const client = await this.cluster.client(node);
    for (let i = 0; i < this.acked.length; i += 1000) {
      const keys = this.acked.slice(i, i + 1000);
      const values = await client.call('MGET', ...keys);
      const lost = keys.filter((key, n) => values[n] !== key);
      check(lost.length === 0, `lost: ${lost.slice(0, 5)} (${lost.length})`);
    }
    client.close();
  }
}

async function with_cluster(options, run) {
  const cluster = await Cluster.started(options);
  try {
    await run(cluster);
  } finally {
    for (const child of Object.values(cluster.children)) child.kill('SIGKILL');
  }
}

test('SIGKILL of the leader under load: another answers within a second, nothing acknowledged is lost', () => with_cluster({}, async (cluster) => {
  const load = new Load(cluster);
  for (let round = 0; round < 3; round++) {
    await sleep(400);
    const leader = await cluster.leader();
    const others = cluster.ids().filter((id) => id !== leader);
    load.last = Date.now();
    load.gap_ms = 0;
    await cluster.kill(leader);
    const before = load.acked.length, killed = Date.now();
    await until('a write is acknowledged again', () => load.acked.length > before + 4);
    check(Date.now() - killed < 1000, `it took ${Date.now() - killed} ms`);
    await cluster.leader(others);
    await cluster.start(leader);
  }
  await load.stop();
  for (const id of cluster.ids()) await load.verify(id);
  check(load.acked.length > 100, `${load.acked.length} writes`);
  await cluster.stop_all();
}));

test('all three are killed under load and started again: everything is there', () => with_cluster({}, async (cluster) => {
  const load = new Load(cluster);
  await sleep(500);
  await Promise.all(cluster.ids().map((id) => cluster.kill(id)));
  await load.stop();
  for (const id of cluster.ids()) cluster.spawn(id);
  for (const id of cluster.ids()) await cluster.ready(id);
  for (const id of cluster.ids()) await load.verify(id);
  const states = await until('equal digests', async () => {
    const all = await Promise.all(cluster.ids().map((id) => cluster.status(id)));
    return new Set(all.map((each) => `${each.applied_index} ${each.digest}`)).size === 1 && all;
  });
  check(states[0].keys >= load.acked.length, 'keys');
  await cluster.stop_all();
  for (const id of cluster.ids()) {
    const { code, out } = cairn('inspect', cluster.dir(id));
    equal(code, 0, `cairn inspect: ${out}`);
    check(out.includes('All checksums hold.'), out);
  }
}));

test('a rolling restart by SIGTERM: retrying clients notice nothing', () => with_cluster({}, async (cluster) => {
  const load = new Load(cluster);
  for (const id of cluster.ids()) {
    await sleep(300);
    const { code } = await cluster.kill(id, 'SIGTERM');
    equal(code, 0, `exit code of node ${id}`);
    await cluster.start(id);
  }
  await sleep(200);
  await load.stop();
  for (const id of cluster.ids()) await load.verify(id);
  check(load.gap_ms < 1500, `the longest pause was ${load.gap_ms} ms`);
  check(!load.errors.UNKNOWN, `a graceful stop leaves no fate unknown: ${JSON.stringify(load.errors)}`);
  await cluster.stop_all();
}));

test('an upgrade, node by node: the cluster version rises when all have the new one', () => with_cluster({ sets: { 'test.wire_version': 1 } }, async (cluster) => {
  const load = new Load(cluster, { writers: 2 });
  equal((await cluster.status(1)).cluster_version, 1);
  for (const id of cluster.ids()) {
    await cluster.kill(id, 'SIGTERM');
    check(id === 1 || (await cluster.status(1)).cluster_version === 1, 'it rises only at the end');
    await cluster.start(id, { 'test.wire_version': 0 });
  }
  for (const id of cluster.ids())
    await until(`version 3 on node ${id}`, async () => (await cluster.status(id)).cluster_version === 3);
  await load.stop();
  await load.verify(2);
  await cluster.stop_all();
}));

test('members: a fourth joins under load, one is replaced after its disk was lost, one leaves', () => with_cluster({}, async (cluster) => {
  const load = new Load(cluster, { nodes: [1, 2] });
  const node = ['--node', `127.0.0.1:${cluster.redis(1)}`];
  // the fourth
  cluster.spawn(4, { 'cluster.bootstrap': 'no' });
  let done = cairn('member', 'add', '4', `127.0.0.1:${cluster.peer(4)}`, ...node);
  equal(done.code, 0, done.out + done.err);
  await cluster.ready(4);
  await until('4 is a voter', async () => (await cluster.status(4)).members.find((each) => each.id === 4)?.role === 'voter');
  // the third loses its folder and comes back with an empty one
  const before = (await cluster.status(3)).incarnation;
  await cluster.kill(3);
  fs.rmSync(cluster.dir(3), { recursive: true });
  await cluster.start(3, { 'cluster.bootstrap': 'no' });
  await until('3 is a voter again, of a new incarnation', async () => {
    const status = await cluster.status(3);
    return status.incarnation !== before && status.members.find((each) => each.id === 3)?.role === 'voter' && status.keys > 0;
  });
  // the second is sent away: so the load goes on at the first
  done = cairn('member', 'remove', '2', ...node);
  equal(done.code, 0, done.out + done.err);
  await until('2 is no member', async () => (await cluster.status(1)).members.every((each) => each.id !== 2));
  await load.stop();
  for (const id of [1, 3, 4]) await load.verify(id);
  const { code, out } = cairn('status', ...node);
  equal(code, 0, out);
  const list = cairn('member', 'list', ...node).out;
  check(/^1 /m.test(list) && !list.includes(`127.0.0.1:${cluster.peer(2)}`), list);
  done = cairn('member', 'add', '4', `127.0.0.1:${cluster.peer(4)}`, ...node);
  equal(done.code, 1, 'adding a member twice');
  done = cairn('member', 'remove', '9', ...node);
  equal(done.code, 1, 'removing nobody');
}));

test('leadership goes where it is sent', () => with_cluster({}, async (cluster) => {
  for (const id of [2, 3, 1, 2]) {
    const { code, out, err } = cairn('leader', 'transfer', String(id), '--node', `127.0.0.1:${cluster.redis(3)}`);
    equal(code, 0, out + err);
    await until(`${id} leads`, async () => (await cluster.leader()) === id, 3000);
  }
  equal(cairn('leader', 'transfer', '9', '--node', `127.0.0.1:${cluster.redis(3)}`).code, 1);
  await cluster.stop_all();
}));

test('a minority answers CLUSTERDOWN within the request timeout, and recovers', () => with_cluster({ sets: { 'raft.request_timeout_ms': 1000 } }, async (cluster) => {
  const leader = await cluster.leader();
  const stopped = cluster.ids().filter((id) => id !== leader);
  const client = await cluster.client(leader);
  await client.call('SET', 'before', '1');
  for (const id of stopped) cluster.children[id].kill('SIGSTOP');
  await until('the leader notices', async () => (await cluster.status(leader)).leader === 0);
  for (const command of [['SET', 'a', '1'], ['GET', 'before'], ['INCR', 'n'], ['PUBLISH', 'c', 'm']]) {
    const began = Date.now();
    const reply = await client.ask(...command);
    check(reply instanceof ErrorReply && reply.message.startsWith('CLUSTERDOWN'), `${command}: ${reply}`);
    check(Date.now() - began < 1500, `${command}: ${Date.now() - began} ms`);
  }
  equal((await http(cluster.admin(leader), '/health')).status, 503);
  equal(cairn('status', '--node', `127.0.0.1:${cluster.redis(leader)}`).code, 1);
  for (const id of stopped) cluster.children[id].kill('SIGCONT');
  await until('writes again', async () => (await client.ask('SET', 'a', '2')) === 'OK');
  equal(await client.call('GET', 'before'), '1');
  equal(await client.call('GET', 'n'), null);
  client.close();
  await cluster.stop_all();
}));

test('exactly once: INCR with retries across failovers counts each try once', () => with_cluster({}, async (cluster) => {
  let client = await cluster.client(1);
  const session = await client.call('CAIRN.SESSION');
  client.close();
  let finished = false, sequence = 0, retries = 0, turn = 0;
  client = undefined;
  const killer = (async () => {
    for (const whom of ['leader', 'mine', 'leader']) {
      await sleep(350);
      const victim = whom === 'leader' ? await cluster.leader() : 1 + ((turn - 1) % 3);
      await cluster.kill(victim);
      await cluster.leader(cluster.ids().filter((id) => id !== victim));
      await cluster.start(victim);
    }
  })();
  killer.finally(() => (finished = true));
  while (!finished || sequence < 200) {
    sequence++;
    for (;;) {
      try {
        client ??= await Promise.race([cluster.client(1 + (turn++ % 3)), sleep(500).then(() => Promise.reject(new Error('late')))]);
        const reply = await client.ask('CAIRN.ONCE', session, sequence, 'INCR', 'once');
        if (!(reply instanceof ErrorReply)) {
          equal(reply, sequence, 'each reply tells its own count');
          break;
        }
        check(!/NOSESSION|OUTOFWINDOW/.test(reply.message), reply.message);
      } catch (error) {
        if (!/closed|late|ECONN/.test(String(error))) throw error;
      }
      retries++;
      client?.close();
      client = undefined;
      await sleep(5);
    }
  }
  await killer;
  client ??= await cluster.client(1);
  equal(Number(await client.call('GET', 'once')), sequence);
  equal(await client.call('CAIRN.ONCE', session, sequence, 'INCR', 'once'), sequence, 'a retry');
  check(retries > 0, 'the kills were felt');
  equal((await client.ask('CAIRN.ONCE', 999999, 1, 'INCR', 'once')).message.split(' ')[0], 'NOSESSION');
  equal((await client.ask('CAIRN.ONCE', session, sequence + 1000, 'INCR', 'once')).message.split(' ')[0], 'OUTOFWINDOW');
  equal(await client.call('CAIRN.SESSION', 'CLOSE', session), 1);
  client.close();
  await cluster.stop_all();
}));

test('SIGTERM to all under load: each ends with code 0, nothing acknowledged is lost', () => with_cluster({}, async (cluster) => {
  const load = new Load(cluster, { writers: 8 });
  await sleep(500);
  await cluster.stop_all();
  await load.stop();
  for (const id of cluster.ids()) cluster.spawn(id);
  for (const id of cluster.ids()) await cluster.ready(id);
  await load.verify(1);
  await cluster.stop_all();
}));

test('snapshots under load; a node that was away is brought up by one', () => with_cluster({ sets: { 'log.snapshot_log_mb': 1, 'log.snapshot_trailing': 10, 'log.segment_mb': 1, 'log.window_mb': 0 } }, async (cluster) => {
  const leader = await cluster.leader();
  const away = cluster.ids().find((id) => id !== leader);
  await cluster.kill(away);
  const client = await cluster.client(leader);
  const value = 'x'.repeat(1000);
  for (let i = 0; i < 8; i++)
    await Promise.all(Array.from({ length: 1000 }, (_, n) => client.call('SET', `s:${i}:${n}`, value)));
  await until('snapshots', async () => (await cluster.metric(leader, 'cairn_snapshots_taken_total')) > 0);
  await cluster.start(away);
  await until('it has caught up', async () => (await cluster.status(away)).keys === 8000);
  check((await cluster.metric(away, 'cairn_snapshots_installed_total')) > 0, 'by a snapshot');
  const [a, b] = await until('equal states', async () => {
    const both = await Promise.all([cluster.status(leader), cluster.status(away)]);
    return both[0].digest === both[1].digest && both;
  });
  equal(a.keys, b.keys);
  client.close();
  await cluster.stop_all();
  for (const id of cluster.ids()) equal(cairn('inspect', cluster.dir(id)).code, 0, `inspect ${id}`);
}));

// ---- disks ----

function small_disk(megabytes) {
  const folder = temporary_folder();
  if (process.getuid() !== 0) skip('only root can mount a small file system');
  const done = call_program('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  if (done.code !== 0) skip(`no tmpfs can be mounted here: ${done.err.trim()}`);
  return { folder, release: () => call_program('umount', ['-l', folder]) };
}

test('a full disk on a majority: writes are refused with MISCONF, reads go on, and it recovers', async () => {
  const disk = small_disk(200); // each node keeps 16 MiB of its log ahead
  try {
    await with_cluster({ sets: { 'log.segment_mb': 1 }, folder: disk.folder }, async (cluster) => {
    const client = await cluster.client(await cluster.leader());
    await client.call('SET', 'kept', 'value');
    for (const id of cluster.ids()) await until('the log has its room', async () => await cluster.metric(id, 'cairn_log_room_bytes') > 16 << 20);
    const filler = path.join(disk.folder, 'filler');
    try {
      for (;;) fs.appendFileSync(filler, Buffer.alloc(1 << 20));
    } catch (error) {
      equal(error.code, 'ENOSPC');
    }
    let refusal, written = 0;
    const value = 'x'.repeat(100000);
    for (let i = 0; i < 400 && !refusal; i++) {
      const reply = await client.ask('SET', `fill:${i}`, value);
      if (reply instanceof ErrorReply) refusal = reply.message;
      else written++;
    }
    check(/^(MISCONF|UNKNOWN|CLUSTERDOWN)/.test(refusal ?? ''), `refusal after ${written}: ${refusal}`);
    await until('MISCONF', async () => /^MISCONF/.test((await client.ask('SET', 'more', value))?.message ?? ''), 8000);
    equal(await client.call('GET', 'kept'), 'value', 'reads go on');
    fs.rmSync(filler);
    await until('writes again', async () => (await client.ask('SET', 'after', '1')) === 'OK', 20000);
    equal((await client.call('MGET', ...Array.from({ length: written }, (_, i) => `fill:${i}`))).filter((each) => each !== value).length, 0);
    client.close();
    cluster.check_alive();
    await cluster.stop_all();
    });
  } finally {
    disk.release();
  }
});

test('cairn repair: a survivor of two lost ones goes on alone, and others join afresh', () => with_cluster({}, async (cluster) => {
  const load = new Load(cluster, { writers: 2 });
  await sleep(300);
  await load.stop();
  await until('all applied', async () => new Set((await Promise.all(cluster.ids().map((id) => cluster.status(id)))).map((each) => each.applied_index)).size === 1);
  equal(cairn('repair', cluster.dir(1), '--yes').code, 1, 'repair of a running node is refused');
  for (const id of cluster.ids()) await cluster.kill(id);
  equal(cairn('repair', cluster.dir(1)).code, 3, 'without --yes');
  fs.rmSync(cluster.dir(2), { recursive: true });
  const { code, out, err } = cairn('repair', cluster.dir(1), '--yes');
  equal(code, 0, out + err);
  await cluster.start(1);
  await load.verify(1);
  const client = await cluster.client(1);
  equal(await client.call('SET', 'alone', '1'), 'OK');
  // The lost one comes back with its old data: it must not be let in.
  cluster.spawn(3);
  await sleep(700);
  check((await cluster.metric(1, 'cairn_links_refused_total')) > 0, 'the old epoch is refused');
  equal((await cluster.status(1)).members.length, 1);
  await cluster.kill(3);
  // Another one joins with an empty folder.
  cluster.spawn(2, { 'cluster.bootstrap': 'no' });
  const added = cairn('member', 'add', '2', `127.0.0.1:${cluster.peer(2)}`, '--node', `127.0.0.1:${cluster.redis(1)}`);
  equal(added.code, 0, added.out + added.err);
  await cluster.ready(2);
  await load.verify(2);
  client.close();
}));

test('a second server on the same folder, and swapped folders, are refused with the reason', () => with_cluster({}, async (cluster) => {
  const twin = call_program(binary, cluster.args(1), { timeout: 20000 });
  equal(twin.code, 1);
  check(/another process runs on/.test(twin.err), twin.err);
  await cluster.stop_all();
  const swapped = call_program(binary, cluster.args(1, { 'node.dir': cluster.dir(2) }), { timeout: 5000 });
  equal(swapped.code, 1);
  check(/holds the data of node 2, and this is node 1/.test(swapped.err), swapped.err);
  const foreign = call_program(binary, cluster.args(1, { 'cluster.name': 'other' }), { timeout: 5000 });
  equal(foreign.code, 1);
  check(/belongs to another cluster/.test(foreign.err), foreign.err);
}));

test('a log that was damaged while its node was down is repaired from the others', () => with_cluster({}, async (cluster) => {
  const client = await cluster.client(await cluster.leader());
  for (let i = 0; i < 200; i++) await client.call('SET', `d:${i}`, 'x'.repeat(1000));
  client.close();
  const victim = cluster.ids().find(async (id) => id !== (await cluster.leader()));
  await cluster.kill(victim);
  const log = path.join(cluster.dir(victim), 'log');
  const segment = fs.readdirSync(log).map((name) => path.join(log, name)).filter((name) => fs.statSync(name).size > 1 << 20)
    .find((name) => fs.readFileSync(name).includes('d:100'));
  const bytes = fs.readFileSync(segment);
  bytes[bytes.indexOf('d:100') + 20] ^= 1;
  fs.writeFileSync(segment, bytes);
  equal(cairn('inspect', cluster.dir(victim)).code, 1, 'inspect sees it');
  await cluster.start(victim);
  await until('it is healthy and whole', async () => {
    const status = await cluster.status(victim);
    return status.health === 'ok' && status.keys === 200;
  });
  await cluster.stop_all();
}));

run_tests();
