// Damage of the log under nodes that run: an old entry that is committed and applied can't be read any more when a node that
// was away wants it. No node restarts, and nothing is missing anywhere.
import fs from 'node:fs';
import path from 'node:path';
import { Cluster, cairn, check, equal, http, run_tests, test, until } from './lib.mjs';

const VALUES = 4000;
const value = (i) => `v:${i}:${'x'.repeat(1000)}`;

async function write(cluster, leader, from, to) {
  const client = await cluster.client(leader);
  for (let at = from; at < to; at += 500)
    await Promise.all(Array.from({ length: 500 }, (_, n) => client.call('SET', `k:${at + n}`, value(at + n))));
  client.close();
}

/** Turns a bit of the value in the node's log. */
function damage(cluster, id, i) {
  const folder = path.join(cluster.dir(id), 'log');
  for (const name of fs.readdirSync(folder).filter((each) => each.endsWith('.seg'))) {
    const at = fs.readFileSync(path.join(folder, name)).indexOf(value(i));
    if (at < 0) continue;
    const file = fs.openSync(path.join(folder, name), 'r+');
    fs.writeSync(file, '?', at + 100);
    fs.fsyncSync(file);
    fs.closeSync(file);
    return;
  }
  throw new Error(`the log of node ${id} does not hold value ${i}`);
}

async function lead(cluster, id, among) {
  const client = await cluster.client(id);
  await until(`node ${id} leads`, async () => {
    if ((await cluster.leader(among)) === id) return true;
    await client.ask('CAIRN.LEADER', 'TRANSFER', id);
    return false;
  });
  client.close();
}

const health = async (cluster, id) => (await http(cluster.admin(id), '/health')).text.trim();

async function whole(cluster) {
  await until('all states are equal', async () => {
    const all = await Promise.all(cluster.ids().map((id) => cluster.status(id)));
    return all.every((each) => each.keys === VALUES && each.digest === all[0].digest);
  }, 30000);
  for (const id of cluster.ids()) {
    const client = await cluster.client(id);
    for (let at = 0; at < VALUES; at += 500) {
      const got = await client.call('MGET', ...Array.from({ length: 500 }, (_, n) => `k:${at + n}`));
      check(got.every((each, n) => each === value(at + n)), `values from ${at} on at node ${id}`);
    }
    client.close();
    await until(`node ${id} is well`, async () => (await health(cluster, id)) === 'ok');
  }
}

for (const protocol of ['raft', 'zab'])
  for (const role of ['leader', 'follower'])
    test(`${protocol}: old entries of a ${role} are damaged while it runs: a node that was away gets all, and no node restarts`, async () => {
      const cluster = await Cluster.started({ sets: { 'kv.protocol': protocol, 'log.segment_mb': 1, 'log.window_mb': 0 } });
      const first = await cluster.leader();
      await write(cluster, first, 0, 500);
      const [away, other] = cluster.ids().filter((id) => id !== first);
      await cluster.kill(away);
      await write(cluster, first, 500, VALUES);
      const hurt = role === 'leader' ? first : other;
      damage(cluster, hurt, 700);
      damage(cluster, hurt, 2500);
      if (role === 'follower') await lead(cluster, hurt, [first, other]); // it is asked for its entries only then
      const pid = cluster.pid(hurt);
      await cluster.start(away);
      await whole(cluster);
      cluster.check_alive();
      equal(cluster.pid(hurt), pid);
      check((await cluster.metric(hurt, 'cairn_wal_damage_found_total')) >= 1, 'it found the damage');
      equal(await cluster.metric(hurt, 'cairn_wal_damage_repaired_total'), await cluster.metric(hurt, 'cairn_wal_damage_found_total'), 'all of it is repaired');
      check((await cluster.metric(away, 'cairn_snapshots_installed_total')) > 0, 'a snapshot took the place of what was damaged');
      check(/can't give entries \d+ to \d+ of the log back/.test(cluster.logs[hurt]), 'the damage is told');
      check(/the log is whole again/.test(cluster.logs[hurt]), 'the repair is told');
      check(!/waiting for repair/.test(cluster.logs[hurt]), 'no restart repaired it');
      await until('the damaged files are gone', async () => (await cluster.metric(hurt, 'cairn_wal_damaged')) === 0);
      await cluster.stop_all();
      equal(cairn('inspect', cluster.dir(hurt)).code, 0, 'nothing damaged is left on its disk');
    });

test('a running node reads its log back and tells how much', async () => {
  const cluster = await Cluster.started({ nodes: 1, sets: { 'log.segment_mb': 1 } });
  await write(cluster, 1, 0, 1000);
  await until('the scrub has read', async () => (await cluster.metric(1, 'cairn_wal_scrubbed_bytes_total')) > 0);
  equal(await cluster.metric(1, 'cairn_wal_damage_found_total'), 0);
  await cluster.stop_all();
});

await run_tests();
