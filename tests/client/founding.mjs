// Founding a cluster on real processes: founders that are killed in the first moments and lose their disks, founders
// that are not there, two of three disks lost, founders of an older version.
import fs from 'node:fs';
import { Cluster, binary, call_program, check, equal, run_tests, sleep, test, until } from './lib.mjs';

const ROUNDS = Number(process.env.CAIRN_FOUNDING_ROUNDS ?? 10);
const founder = { 'cluster.bootstrap': 'yes' };

const health = (cluster, id) => cluster.status(id).then((status) => status.health, () => '');
const lose_disk = async (cluster, id) => {
  await cluster.kill(id);
  fs.rmSync(cluster.dir(id), { recursive: true, force: true });
};

/** Every keyspace lists all members as voters, under the folders that they have now. */
const all_vote = (cluster) => until('all vote', async () => {
  const each = await Promise.all(cluster.ids().map((id) => cluster.status(id)));
  return each.every((status) => status.keyspaces.every((keyspace) =>
    each.every((other) => keyspace.members.some((member) =>
      member.id === other.node && member.role === 'voter' && member.incarnation === other.incarnation))));
}, 30000);

/** Increments through any node that serves, until told to stop; what was acknowledged, and what may have been. */
async function increments(cluster, stop) {
  const done = { acknowledged: 0, unknown: 0 };
  for (let at = 0; !stop.now; at++) {
    const client = await cluster.client(cluster.ids()[at % cluster.size]).catch(() => undefined);
    for (let i = 0; client && i < 20 && !stop.now; i++) {
      const reply = await Promise.race([client.ask('INCR', 'counter'), sleep(1000)]).catch(() => undefined);
      if (typeof reply === 'number') done.acknowledged++;
      else if (reply === undefined || /UNKNOWN/.test(`${reply}`)) done.unknown++;
      if (typeof reply !== 'number') break;
    }
    client?.close();
    await sleep(5);
  }
  return done;
}

/** One round; `ms` after the first start, a founder is killed and its disk lost. */
async function founder_lost(ms, id) {
  const cluster = await Cluster.make();
  const stop = { now: false };
  for (const each of cluster.ids()) cluster.spawn(each, founder);
  const counting = increments(cluster, stop);
  await sleep(ms);
  await lose_disk(cluster, id);
  cluster.spawn(id, founder);
  for (const each of cluster.ids()) await cluster.ready(each);
  await sleep(200);
  stop.now = true;
  const { acknowledged, unknown } = await counting;
  await all_vote(cluster);
  for (const each of cluster.ids()) {
    const client = await cluster.client(each);
    const counter = Number(await client.call('GET', 'counter'));
    check(counter >= acknowledged && counter <= acknowledged + unknown,
      `node ${id} lost its disk after ${ms} ms; node ${each} has ${counter} of ${acknowledged} increments (${unknown} unknown)`);
    client.close();
  }
  await cluster.stop_all();
}

test(`a founder that loses its disk in the first moments is noticed (${ROUNDS} rounds)`, async () => {
  for (let round = 0; round < ROUNDS; round++) await founder_lost(Math.round(350 * round / ROUNDS), 1 + round % 3);
}, { timeout_ms: 30000 + ROUNDS * 10000 });

test('founders wait for no longer than an election when all are there', async () => {
  const cluster = await Cluster.make();
  const began = Date.now();
  await cluster.start_all();
  check(Date.now() - began < 3000, `it took ${Date.now() - began} ms`);
  check(!Object.values(cluster.logs).join('').includes('founding'), 'and nothing is said of it');
});

test('without one of three founders a cluster is founded after the wait, and the absent one joins later', async () => {
  const cluster = await Cluster.make({ sets: { 'cluster.founding_wait_s': 2 } });
  for (const id of [1, 2]) cluster.spawn(id, founder);
  const waits = `founding: waiting for founder 3 at 127.0.0.1:${cluster.peer(3)}`;
  await until('its health says what it waits for', async () => (await health(cluster, 1)) === waits);
  await until('the log says so too', () => cluster.logs[2].includes(waits));
  for (const id of [1, 2]) await cluster.ready(id);
  let client = await cluster.client(1);
  equal(await client.call('SET', 'k', 'v'), 'OK');
  client.close();
  await cluster.start(3, founder);
  await all_vote(cluster);
  client = await cluster.client(3);
  equal(await client.call('GET', 'k'), 'v');
  client.close();
  await cluster.stop_all();
});

test('with founding_wait_s = 0 nothing is founded until all founders have met', async () => {
  const cluster = await Cluster.make({ sets: { 'cluster.founding_wait_s': 0 } });
  for (const id of [1, 2]) cluster.spawn(id, founder);
  await until('it waits', async () => (await health(cluster, 2)).startsWith('founding: waiting for founder 3'));
  await sleep(3000);
  equal((await cluster.status(1)).term, 0);
  cluster.spawn(3, founder);
  for (const id of cluster.ids()) await cluster.ready(id);
  await all_vote(cluster);
  await cluster.stop_all();
});

test('two of three founders with lost disks found no second cluster, and the third says what to do', async () => {
  const cluster = await Cluster.started();
  let client = await cluster.client(1);
  equal(await client.call('SET', 'k', 'v'), 'OK');
  client.close();
  await until('node 1 has it', async () => {
    const status = await cluster.status(1);
    return status.applied_index === status.commit_index && status.members.every((member) => !/^0+$/.test(member.incarnation));
  });
  for (const id of [2, 3]) await lose_disk(cluster, id);
  for (const id of [2, 3]) cluster.spawn(id, { ...founder, 'cluster.founding_wait_s': 1 });
  await until('node 1 says it', async () => (await health(cluster, 1)).includes('cairn repair'));
  for (const id of [2, 3]) await until(`node ${id} says it`, () => cluster.logs[id].includes('by another folder'));
  await sleep(2000);
  for (const id of cluster.ids())
    for (const { name, role, leader } of (await cluster.status(id)).keyspaces)
      check(role !== 'leader' && leader === 0, `node ${id} is ${role} in ${name} and names leader ${leader}, though none can lead`);
  await cluster.kill(1);
  const repaired = call_program(binary, ['repair', cluster.dir(1), '--yes']);
  equal(repaired.code, 0, repaired.err);
  await cluster.start(1);
  client = await cluster.client(1);
  equal(await client.call('GET', 'k'), 'v');
  // One that was let in before the quorum was lost has entries of the epoch before, and says so; the other joins as it is.
  for (const id of [2, 3]) {
    const added = async () => `${await client.ask('CAIRN.MEMBER', 'ADD', `${id}`, `127.0.0.1:${cluster.peer(id)}`)}` === 'OK';
    const stale = async () => (await health(cluster, id)).includes('joins again with an empty folder');
    await until(`node ${id} is added, or says what it needs`, async () => await added() || await stale(), 30000);
    if (await stale()) {
      await lose_disk(cluster, id);
      cluster.spawn(id, { 'cluster.bootstrap': 'no' });
      await until(`node ${id} is added with an empty folder`, added, 30000);
    }
  }
  client.close();
  await all_vote(cluster);
  await cluster.stop_all();
}, { timeout_ms: 120000 });

test('with a founder of an older version there is no wait', async () => {
  const cluster = await Cluster.make();
  cluster.spawn(1, { ...founder, 'test.wire_version': 2 });
  const began = Date.now();
  cluster.spawn(2, founder);
  for (const id of [1, 2]) await cluster.ready(id);
  check(Date.now() - began < 5000, `it took ${Date.now() - began} ms`);
  await cluster.start(3, founder);
  await all_vote(cluster);
  await cluster.stop_all();
});

await run_tests();
