// Changes of members on real processes, drawn by a seed: nodes that join and leave, learners,
// replaced machines and disks, addresses that are wrong or change, nodes that are absent, leaders
// that are killed meanwhile, no quorum. Each ends with a true answer within its time, and `cairn
// status` tells the roles of every keyspace. CHANGES and SEED choose another run.
import fs from 'node:fs';
import { Cluster, await_program, binary, check, equal, run_tests, sleep, test, until } from './lib.mjs';

const CHANGES = Number(process.env.CHANGES ?? 12);
let seed = Number(process.env.SEED ?? 1);
const below = (n) => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return Math.floor(seed / 65536) % n;
};
const pick = (list) => list[below(list.length)];

const IDS = [1, 2, 3, 4, 5, 6];
const ANSWER_MS = 70000; // no answer waits longer
const REFUSAL_MS = 11000; // without a quorum, without a member

class Run {
  constructor(cluster) {
    this.cluster = cluster;
    this.members = new Map([1, 2, 3].map((id) => [id, 'voter']));
    this.running = new Set([1, 2, 3]);
    this.ports = new Map(); // peer ports that are not the usual ones
    this.acked = 0;
    this.unknown = 0;
  }
  peer(id) { return `127.0.0.1:${this.ports.get(id) ?? this.cluster.peer(id)}`; }
  voters() { return [...this.members].filter(([, role]) => role === 'voter').map(([id]) => id); }
  up(ids = [...this.members.keys()]) { return ids.filter((id) => this.running.has(id)); }
  nodes() { return this.up().map((id) => `127.0.0.1:${this.cluster.redis(id)}`).join(','); }

  async start(id) {
    const others = [1, 2, 3].map((each) => `${each}=${this.peer(each)}`).join(' ');
    const sets = { 'cluster.members': others };
    if (this.ports.has(id)) sets['peer.listen'] = this.peer(id);
    this.cluster.spawn(id, sets);
    this.running.add(id);
    await until(`node ${id} listens`, async () => (await fetch(`http://127.0.0.1:${this.cluster.admin(id)}/health`)).text());
  }
  async kill(id) {
    this.running.delete(id);
    await this.cluster.kill(id);
  }
  wipe(id) { fs.rmSync(this.cluster.dir(id), { recursive: true, force: true }); }

  /** The answer's text, and whether it was in time. */
  async member(...words) {
    const began = Date.now();
    const done = await await_program(binary, ['member', ...words.map(String), '--node', this.nodes()]);
    const ms = Date.now() - began;
    check(ms < ANSWER_MS, `member ${words.join(' ')} answered after ${ms} ms: ${done.out}`);
    return { ok: done.code === 0, text: done.out.trim(), ms };
  }
  async table() {
    const { out } = await await_program(binary, ['status', '--node', this.nodes()]);
    return out.split('\n').map((line) => line.trim().split(/\s+/)).filter(([, keyspace]) => keyspace === 'kv' || keyspace === 'tree')
      .map(([id, keyspace, member, role]) => ({ id: Number(id), keyspace, member, role }));
  }
  /** Both keyspaces list the members that there should be, and no others; and no change is under way, such as
   * a move that a leader records by itself. */
  async settled(what) {
    const wanted = JSON.stringify([...this.members].sort((a, b) => a[0] - b[0]));
    await until(`${what}: the members are ${wanted}`, async () => {
      const rows = (await this.table()).filter((row) => row.member !== 'none');
      const told = ['kv', 'tree'].map((keyspace) =>
        JSON.stringify(rows.filter((row) => row.keyspace === keyspace).map((row) => [row.id, row.member])));
      check(told.every((each) => each === wanted), `kv ${told[0]}, tree ${told[1]}`);
      const { text } = await this.member('status');
      check(text.includes('no change of members is under way'), text);
      return true;
    }, 20000);
  }
  /** While a change is under way: a member is what it was, what it will be, or a learner on its way. */
  async watch(after, end) {
    while (!end.done) {
      for (const row of await this.table()) {
        const allowed = [this.members.get(row.id) ?? 'none', after.get(row.id) ?? 'none', 'learner'];
        check(allowed.includes(row.member), `${row.keyspace}: member ${row.id} is told as ${row.member}, not ${allowed}`);
      }
      await sleep(200);
    }
  }
  /** Asks for what must succeed, and looks at the status meanwhile. */
  async must(words, after) {
    const end = { done: false };
    const watched = this.watch(after, end);
    watched.catch(() => {});
    const answer = await this.member(...words);
    end.done = true;
    await watched;
    check(answer.ok, `member ${words.join(' ')}: ${answer.text}`);
    this.members = after;
  }
  with(id, role) { return new Map([...this.members, [id, role]]); }
  without(id) { return new Map([...this.members].filter(([each]) => each !== id)); }
  /** How the last change ended, by the word of the cluster. */
  async last_end() {
    return until('the change has ended', async () => {
      const { text } = await this.member('status');
      return text.includes('no change of members is under way') && text.split('\n').find((line) => line.startsWith('change '));
    }, 60000);
  }
  async leader(keyspace) {
    return until(`a leader of ${keyspace}`, async () => (await this.table()).find((row) => row.keyspace === keyspace && row.role === 'leader')?.id);
  }
  absent() { return IDS.filter((id) => !this.members.has(id)); }
  /** A node that is no member, empty or with what it has, runs. */
  async fresh(id) {
    if (this.running.has(id) && below(2)) return;
    if (this.running.has(id)) await this.kill(id);
    if (below(2)) this.wipe(id);
    await this.start(id);
  }
  async load(end) {
    while (!end.done) {
      let client;
      try {
        client = await this.cluster.client(pick(this.up()));
        for (let i = 0; i < 50 && !end.done; i++) {
          const reply = await client.ask('INCR', 'counter');
          if (typeof reply === 'number') this.acked++;
          else if (!/^(CLUSTERDOWN no quorum|CLUSTERDOWN this node|TRYAGAIN|BUSY|SHUTDOWN)/.test(reply.message)) this.unknown++;
          await sleep(10);
        }
      } catch {
        this.unknown++;
        await sleep(50);
      }
      client?.close();
    }
  }
}

const refused = (answer, pattern, what) => {
  check(!answer.ok && pattern.test(answer.text), `${what}: ${answer.text}`);
};

const changes = {
  async add(run) {
    const id = pick(run.absent());
    await run.fresh(id);
    await run.must(['add', id, run.peer(id)], run.with(id, 'voter'));
  },
  async learner_then_voter(run) {
    const id = pick(run.absent());
    await run.fresh(id);
    await run.must(['add', id, run.peer(id), '--learner'], run.with(id, 'learner'));
    await run.settled('a learner');
    await run.must(pick([['promote', id], ['add', id, run.peer(id)]]), run.with(id, 'voter'));
  },
  async remove(run) {
    const id = pick(run.voters());
    await run.must(['remove', id], run.without(id));
    await run.removed(id);
  },
  async remove_leader(run) {
    const id = await run.leader(pick(['kv', 'tree']));
    await run.must(['remove', id], run.without(id));
    await run.removed(id);
  },
  async replace(run) {
    const old = pick(run.voters()), id = pick(run.absent());
    await run.fresh(id);
    await run.must(['add', id, run.peer(id)], run.with(id, 'voter'));
    await run.kill(old);
    await run.must(['remove', old], run.without(old));
  },
  async wrong_address(run) {
    const id = pick(run.absent());
    await run.fresh(id);
    const address = pick([`127.0.0.1:${run.cluster.peer(9)}`, run.peer(pick(run.up()))]);
    // It runs, and where it knows members that still are, connects by itself: then it is taken in, and
    // its true address recorded.
    const answer = await run.member('add', id, address);
    if (answer.ok) {
      run.members = run.with(id, 'voter');
    } else {
      refused(answer, /does not answer at .*nothing was changed/, 'a wrong address');
      await run.settled('after a wrong address');
      await run.must(['add', id, run.peer(id)], run.with(id, 'voter'));
    }
    await run.listed(id);
  },
  async absent_node(run) {
    const id = pick(run.absent());
    if (run.running.has(id)) await run.kill(id);
    const answer = await run.member('add', id, run.peer(id));
    refused(answer, /does not answer at .*nothing was changed/, 'an absent node');
    check(answer.ms < REFUSAL_MS, `an absent node was given up after ${answer.ms} ms`);
    await run.start(id);
    await run.must(['add', id, run.peer(id)], run.with(id, 'voter'));
  },
  async cancelled(run) {
    const id = pick(run.absent());
    if (run.running.has(id)) await run.kill(id);
    let answer;
    const asked = run.member('add', id, run.peer(id)).then((told) => (answer = told));
    await until('the change is under way', async () => {
      check(!answer, `it ended at once: ${answer?.text}`);
      return (await run.member('status')).text.includes('waits until');
    }, 5000);
    refused(await run.member('add', 7, `127.0.0.1:${run.cluster.peer(7)}`), /^\(error\) BUSY another change of members is under way \(add/, 'a second change');
    equal((await run.member('cancel')).text, 'OK');
    refused(await asked, /cancelled.*nothing was changed/, 'a cancelled change');
  },
  async wiped_disk(run) {
    const id = pick(run.up(run.voters()));
    await run.kill(id);
    run.wipe(id);
    await run.start(id);
    // As an operator must: the next disk is not touched before the members count on this one again.
    const { incarnation } = await run.cluster.status(id);
    await until(`member ${id} votes with its new disk`, async () => {
      const told = await Promise.all(run.up().map((each) => run.cluster.status(each)));
      const bound = (keyspace) => {
        const leader = told.flatMap((status) => status.keyspaces).find((each) => each.name === keyspace && each.role === 'leader');
        const member = leader?.members.find((each) => each.id === id);
        return member?.incarnation === incarnation && member.role === 'voter';
      };
      return bound('kv') && bound('tree');
    }, 40000);
  },
  async leader_killed(run) {
    const id = pick(run.absent());
    await run.fresh(id);
    const leader = await run.leader('kv');
    const after = run.with(id, 'voter');
    const asked = run.member('add', id, run.peer(id));
    await sleep(below(120));
    await run.kill(leader);
    const answer = await asked;
    const end = answer.ok ? '; done' : await run.last_end();
    const meant = answer.ok || end.includes(`add ${id} at`);
    if (meant && end.includes('; done')) run.members = after;
    else check(answer.text.includes('nothing was changed') || /UNKNOWN|UNDERWAY|CLUSTERDOWN|no answer/.test(answer.text), `a leader was killed: ${answer.text}, ${end}`);
    await run.start(leader);
  },
  async no_quorum(run) {
    const voters = run.voters();
    const down = run.up(voters).slice(0, Math.ceil(voters.length / 2));
    const id = pick(run.absent());
    for (const each of down) await run.kill(each);
    const asked = run.up().length > 0 && await run.member('add', id, run.peer(id));
    if (asked) {
      refused(asked, /CLUSTERDOWN|UNKNOWN|TRYAGAIN/, 'without a quorum');
      check(asked.ms < REFUSAL_MS, `without a quorum, the answer came after ${asked.ms} ms`);
    }
    for (const each of down) await run.start(each);
    await run.leader('kv');
    const end = asked && /UNKNOWN/.test(asked.text) ? await run.last_end() : '';
    if (end.includes(`add ${id} at`) && end.includes('; done')) run.members = run.with(id, 'voter');
    run.note = `add ${id}: ${asked?.text ?? 'not asked'}; ${end}`;
  },
  async would_lose_the_quorum(run) {
    const voters = run.up(run.voters());
    const dead = voters.slice(0, Math.floor((voters.length - 1) / 2));
    if (voters.length % 2 === 0 || dead.length === 0) return changes.add(run);
    for (const each of dead) await run.kill(each);
    await run.leader('kv');
    await run.leader('tree');
    await sleep(1000);
    // One of the majority leaves: of those that stay, half are dead.
    refused(await run.member('remove', voters.at(-1)), /a majority of the voters that would be can't be reached now.*nothing was changed/, 'a removal that loses the quorum');
    for (const each of dead) await run.start(each);
  },
  async moved(run) {
    const id = pick(run.up(run.voters()));
    const port = run.cluster.peer(9) + 1000 + below(500);
    await run.kill(id);
    run.ports.set(id, port);
    await run.start(id);
    if (below(2)) { // or the leader notices it, and may be faster
      const answer = await run.member('move', id, run.peer(id));
      check(answer.ok || /has that address already/.test(answer.text), answer.text);
    }
    await run.listed(id);
  },
};

/** Its address is the one at which it is. */
Run.prototype.listed = async function listed(id) {
  await until(`${run_name(this, id)} is listed`, async () => (await this.member('list')).text.includes(`${this.peer(id)} `), 15000);
};
const run_name = (run, id) => `member ${id} at ${run.peer(id)}`;

/** It is told, says so, and refuses clients at once. */
Run.prototype.removed = async function removed(id) {
  if (!this.running.has(id)) return;
  await until(`node ${id} says that it was removed`, async () =>
    (await (await fetch(`http://127.0.0.1:${this.cluster.admin(id)}/health`)).text()).includes('removed'));
  const client = await this.cluster.client(id);
  const began = Date.now();
  const reply = await client.ask('GET', 'counter');
  client.close();
  check(/removed from the cluster/.test(reply?.message ?? ''), `a removed node answered ${reply?.message ?? reply}`);
  check(Date.now() - began < 1000, 'a removed node did not refuse at once');
};

function draw(run) {
  const grows = ['add', 'learner_then_voter', 'wrong_address', 'absent_node', 'leader_killed'];
  const keeps = ['replace', 'cancelled', 'wiped_disk', 'no_quorum', 'would_lose_the_quorum', 'moved'];
  const shrinks = ['remove', 'remove_leader'];
  const voters = run.voters().length;
  if (voters <= 3) return pick([...grows, ...keeps]);
  if (run.absent().length === 0 || voters >= 5) return pick(shrinks);
  return pick([...grows, ...keeps, ...shrinks, ...shrinks]);
}

test(`${CHANGES} changes of members end with true answers`, async () => {
  const cluster = await Cluster.started();
  const run = new Run(cluster), end = { done: false };
  const loads = [run.load(end), run.load(end)];
  for (let i = 1; i <= CHANGES; i++) {
    for (const id of run.members.keys()) if (!run.running.has(id)) await run.start(id);
    await run.settled('before a change');
    const kind = draw(run);
    run.note = '';
    const began = Date.now();
    try {
      await changes[kind](run);
      for (const id of run.members.keys()) if (!run.running.has(id)) await run.start(id);
      await run.settled(`after ${kind}`);
    } catch (error) {
      throw new Error(`change ${i}, ${kind}: ${error.message} ${run.note}`);
    }
    if (process.env.VERBOSE) console.log(`# ${i} ${kind} (${Date.now() - began} ms), members ${JSON.stringify([...run.members])}`);
  }
  end.done = true;
  await Promise.all(loads);
  const counter = await until('the counter can be read', async () => {
    const client = await cluster.client(pick(run.up()));
    const reply = await client.ask('GET', 'counter');
    client.close();
    return typeof reply === 'string' && Number(reply);
  });
  check(counter >= run.acked && counter <= run.acked + run.unknown,
    `${run.acked} increments were acknowledged, ${run.unknown} are of unknown fate, and the counter is ${counter}`);
  cluster.check_alive = undefined; // some were killed, on purpose
}, { timeout_ms: 60000 + CHANGES * 30000 });

test('a node whose history is not the leader\'s never says that it is well', async () => {
  const cluster = await Cluster.started();
  const client = await cluster.client(1);
  for (let i = 0; i < 20; i++) await client.call('SET', `key${i}`, 'value');
  client.close();
  for (const id of [2, 3]) {
    await cluster.kill(id);
    fs.rmSync(cluster.dir(id), { recursive: true, force: true });
  }
  await cluster.kill(1);
  for (const id of [2, 3]) cluster.spawn(id, { 'cluster.bootstrap': 'yes' }); // two of three disks lost, and founded anew
  for (const id of [2, 3]) await cluster.ready(id);
  const fresh = await cluster.client(2);
  for (let i = 0; i < 40; i++) await fresh.call('SET', `other${i}`, 'x');
  fresh.close();
  cluster.spawn(1);
  for (let i = 0; i < 30; i++) { // at no moment, however long it runs
    await sleep(100);
    const health = await fetch(`http://127.0.0.1:${cluster.admin(1)}/health`).then(async (answer) => [answer.status, await answer.text()], () => [0, '']);
    check(health[0] !== 200, `it says that it is well: ${health}`);
  }
  const lines = (cluster.logs[1] ?? '').split('\n').filter((line) => line.includes('level=warning')).length;
  check(lines < 60, `${lines} warnings in three seconds`);
});

await run_tests();
