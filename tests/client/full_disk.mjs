// Full disks, played by the layer of cairn torture (src/torture/layer.c): what would make a file longer finds no
// space, what is there already can be written.
import fs from 'node:fs';
import path from 'node:path';
import { Cluster, ErrorReply, binary, check, equal, run_tests, skip, sleep, test, until } from './lib.mjs';

const layer = path.join(path.dirname(binary), 'cairn-faults.so');
const FULL_AT = 20; // struct layer_control
const CONTROL_BYTES = 4096;
const REFUSED = /^MISCONF the disk is full; not executed/;
const VALUE = 'v'.repeat(64000);

const control = (cluster, node) => path.join(cluster.folder, `control-${node}`);

function environment(cluster, node) {
  if (!fs.existsSync(control(cluster, node))) fs.writeFileSync(control(cluster, node), Buffer.alloc(CONTROL_BYTES));
  return {
    LD_PRELOAD: layer, CAIRN_LAYER_CONTROL: control(cluster, node), CAIRN_LAYER_FOLDER: fs.realpathSync(cluster.folder),
    CAIRN_LAYER_JOURNAL: path.join(cluster.folder, `journal-${node}`),
  };
}

function set_full(cluster, node, full) {
  const file = fs.openSync(control(cluster, node), 'r+');
  fs.writeSync(file, Buffer.from([full ? 1 : 0]), 0, 1, FULL_AT);
  fs.closeSync(file);
}

async function with_cluster(run) {
  if (!fs.existsSync(layer)) skip(`${layer} is not built`);
  const cluster = await Cluster.started({ environment, sets: { 'log.segment_mb': 4 } });
  const leader = await cluster.leader();
  await run(cluster, leader);
  cluster.check_alive();
}

const health = async (cluster, node) => (await cluster.status(node)).health;

async function timed(ask) {
  const began = performance.now();
  return { value: await ask(), ms: performance.now() - began };
}

async function ask_once(cluster, node, ...command) {
  const client = await cluster.client(node);
  try {
    return await client.ask(...command);
  } finally {
    client.close();
  }
}

/** Writes until a command is refused, and says how many were not. */
async function write_until_refused(cluster, node) {
  const client = await cluster.client(node);
  let written = 0;
  for (; written < 2000; written++) {
    const reply = await client.ask('SET', `key${written}`, VALUE);
    if (reply instanceof ErrorReply) {
      check(REFUSED.test(reply.message), `refused with: ${reply.message}`);
      break;
    }
  }
  client.close();
  check(written < 2000, 'no command was refused');
  return written;
}

const serves = (cluster, node, key, value) => until(`node ${node} answers reads`, async () => {
  const reply = await ask_once(cluster, node, 'GET', key);
  if (!(reply instanceof ErrorReply)) equal(reply, value, `${key} at node ${node}`);
  return reply === value;
});

async function serves_everywhere(cluster, key, value) {
  for (const id of cluster.ids()) await serves(cluster, id, key, value);
}

async function goes_on(cluster) {
  for (const id of cluster.ids()) set_full(cluster, id, false);
  await until('writes go on', async () => (await ask_once(cluster, 1, 'SET', 'after', 'yes')) === 'OK');
  for (const id of cluster.ids()) await until(`node ${id} is well`, async () => (await health(cluster, id)) === 'ok');
  await until('digests are equal', async () => {
    const all = await Promise.all(cluster.ids().map((id) => cluster.status(id)));
    return all.every((each) => each.digest === all[0].digest && each.applied_index === all[0].applied_index);
  });
}

test("a follower with a full disk has its clients answered by the leader", () => with_cluster(async (cluster, leader) => {
  const full = leader % cluster.size + 1;
  set_full(cluster, full, true);
  const client = await cluster.client(leader);
  let written = 0;
  await until('the follower takes no more', async () => {
    for (let i = 0; i < 20; i++) equal(await client.call('SET', `key${written++}`, VALUE), 'OK');
    const [its, ours] = await Promise.all([cluster.status(full), cluster.status(leader)]);
    return its.health === 'disk full' && its.durable_index + 50 < ours.commit_index;
  }, 60000);
  equal(await client.call('SET', 'at-leader', '1'), 'OK');
  const theirs = await cluster.client(full);
  for (let i = 0; i < 20; i++) {
    const read = await timed(() => theirs.call('GET', 'at-leader'));
    equal(read.value, '1');
    const write = await timed(() => theirs.call('SET', 'through-follower', `${i}`));
    equal(write.value, 'OK');
    equal(await client.call('GET', 'through-follower'), `${i}`);
    equal(await theirs.call('INCR', 'count'), i + 1);
    check(read.ms < 500 && write.ms < 500, `a read took ${read.ms} ms, a write ${write.ms} ms`);
  }
  equal(await cluster.leader(), leader);
  client.close();
  theirs.close();
  await goes_on(cluster);
}), { timeout_ms: 120000 });

test('with all disks full every change of leader leaves one that serves reads, and room for more', () => with_cluster(async (cluster, first) => {
  const over = Date.now() + 6000;
  equal(await ask_once(cluster, first, 'SET', 'short', 'gone', 'PX', '6000'), 'OK');
  for (const id of cluster.ids()) set_full(cluster, id, true);
  const written = await write_until_refused(cluster, first);
  const last = `key${written - 1}`;
  await until('the disks are told to be full', async () =>
    (await Promise.all(cluster.ids().map((id) => health(cluster, id)))).filter((each) => each === 'disk full').length > cluster.size / 2);
  for (let i = 0; i < 12; i++) {
    const leader = await cluster.leader();
    await cluster.kill(leader);
    if (i % 2 === 0) await cluster.leader(cluster.ids().filter((id) => id !== leader));
    await cluster.start(leader);
    await serves_everywhere(cluster, last, VALUE);
    for (const id of cluster.ids()) {
      const reply = await ask_once(cluster, id, 'SET', 'refused', 'x');
      check(REFUSED.test(reply.message), `a write was answered with ${reply.message ?? reply}`);
    }
  }
  for (let i = 0; i < 12; i++) {
    const leader = await cluster.leader(), to = leader % cluster.size + 1;
    await until(`leadership goes from ${leader} to ${to}`, async () => {
      const reply = await ask_once(cluster, leader, 'CAIRN.LEADER', 'TRANSFER', `${to}`);
      return reply === 'OK';
    });
    await serves_everywhere(cluster, last, VALUE);
  }
  for (const id of cluster.ids()) await cluster.kill(id);
  await Promise.all(cluster.ids().map((id) => cluster.start(id)));
  await serves_everywhere(cluster, last, VALUE);
  equal(await ask_once(cluster, 2, 'GET', 'refused'), null, 'a write that was refused');
  await sleep(over + 100 - Date.now());
  for (const id of cluster.ids()) equal(await ask_once(cluster, id, 'GET', 'short'), null, `at node ${id}, a key whose time is over`);
  await goes_on(cluster);
  for (let i = 0; i < written; i += 7) equal(await ask_once(cluster, 1 + i % 3, 'STRLEN', `key${i}`), VALUE.length, `key${i}`);
}), { timeout_ms: 180000 });

await run_tests();
