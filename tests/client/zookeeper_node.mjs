// node-zookeeper-client on three servers: its calls, its watches, its session through kills.
import zookeeper from 'node-zookeeper-client';
import { promisify } from 'node:util';
import { Cluster, check, equal, run_tests, sleep, test, until } from './lib.mjs';
import { hosts_of, settings } from './zookeeper_lib.mjs';

const { CreateMode, Exception, Event, State } = zookeeper;

/** The calls as promises that tell all that the callbacks are given. */
class Client {
  constructor(hosts) {
    this.raw = zookeeper.createClient(hosts, { sessionTimeout: 10000, spinDelay: 50, retries: 0 });
    this.states = [];
    this.raw.on('state', (state) => this.states.push(state));
    const many = (name) => (...args) => new Promise((resolve, reject) =>
      this.raw[name](...args, (error, ...got) => (error ? reject(error) : resolve(got.length > 1 ? got : got[0]))));
    for (const name of ['create', 'setData', 'getData', 'exists', 'remove', 'getChildren', 'getACL', 'setACL', 'mkdirp']) this[name] = many(name);
  }
  async open() {
    this.raw.connect();
    await until('connected', () => this.raw.getState() === State.SYNC_CONNECTED);
    return this;
  }
  commit(transaction) {
    return promisify(transaction.commit.bind(transaction))();
  }
  close() {
    this.raw.close();
  }
}

let cluster;
const clients = [];
const dial = async (hosts = hosts_of(cluster)) => {
  const client = await new Client(hosts).open();
  clients.push(client);
  return client;
};
const one = (node) => dial(`127.0.0.1:${cluster.zookeeper(node)}`);
const story = (name, run) => test(`node-zookeeper-client: ${name}`, async () => {
  cluster ??= await Cluster.started({ sets: settings });
  try {
    await run();
  } finally {
    for (const client of clients.splice(0)) client.close();
  }
});
async function refused(code, call) {
  const error = await call.then(() => undefined, (problem) => problem);
  equal(error?.getCode?.(), code, `code of ${error}`);
}

story('nodes, stats, rights', async () => {
  const zk = await dial(), other = await dial();
  equal(await zk.create('/n', Buffer.from('one')), '/n');
  await refused(Exception.NODE_EXISTS, zk.create('/n'));
  const [data, stat] = await zk.getData('/n');
  equal([String(data), stat.version], ['one', 0]);
  equal((await zk.setData('/n', Buffer.from('two'), 0)).version, 1);
  await refused(Exception.BAD_VERSION, zk.setData('/n', Buffer.from('x'), 0));
  equal(await zk.create('/n/s-', null, CreateMode.EPHEMERAL_SEQUENTIAL), '/n/s-0000000000');
  equal((await zk.getChildren('/n'))[0], ['s-0000000000']);
  await refused(Exception.NOT_EMPTY, zk.remove('/n', -1));
  await zk.mkdirp('/deep/er/still');
  zk.raw.addAuthInfo('digest', Buffer.from('bob:secret'));
  await zk.create('/r', Buffer.from('x'), zookeeper.ACL.CREATOR_ALL_ACL);
  await until('there', () => other.exists('/r'));
  await refused(Exception.NO_AUTH, other.getData('/r'));
  equal((await zk.getACL('/r'))[0][0].id.scheme, 'digest');
});

story('transactions are all or nothing', async () => {
  const zk = await dial();
  const made = await zk.commit(zk.raw.transaction().create('/t', Buffer.from('0')).check('/t', 0).setData('/t', Buffer.from('1'), 0).create('/t/c'));
  equal(made.length, 4);
  await refused(Exception.NO_NODE, zk.commit(zk.raw.transaction().setData('/t', Buffer.from('2')).remove('/t/none', -1)));
  equal(String((await zk.getData('/t'))[0]), '1');
});

story('watches fire once and in order', async () => {
  const zk = await one(1), other = await one(2);
  const seen = [];
  const watch = (event) => seen.push(`${event.getName()} ${event.getPath()}`);
  await zk.create('/w');
  await zk.getData('/w', watch);
  await zk.getChildren('/w', watch);
  equal(await zk.exists('/w2', watch), null);
  await until('there', () => other.exists('/w'));
  await other.setData('/w', Buffer.from('1'));
  await other.create('/w/c');
  await other.setData('/w', Buffer.from('2'));
  await other.create('/w2');
  await until('three', () => seen.length === 3);
  await zk.getData('/w2');
  equal(seen, ['NODE_DATA_CHANGED /w', 'NODE_CHILDREN_CHANGED /w', 'NODE_CREATED /w2']);
  check(Event.NODE_CREATED === 1, 'event');
});

story('500 calls outstanding are answered in order', async () => {
  const zk = await dial();
  await zk.create('/q');
  const answers = [];
  await Promise.all(Array.from({ length: 500 }, async (_, n) => {
    const stat = await zk.setData('/q', Buffer.from(String(n)));
    answers.push(stat.version);
  }));
  equal(answers, Array.from({ length: 500 }, (_, n) => n + 1));
});

story('every server is killed in turn: no session and no acknowledged write is lost', async () => {
  const writers = await Promise.all([1, 2, 3].map(() => dial()));
  const acked = [];
  let stopped = false;
  const made = await Promise.all(writers.map((zk, i) => zk.create(`/alive-${i}`, null, CreateMode.EPHEMERAL)));
  const ids = writers.map((zk) => zk.raw.getSessionId().toString('hex'));
  const counts = [0, 0, 0];
  const running = writers.map(async (zk, i) => {
    for (let n = 0; !stopped; n++)
      try {
        const call = zk.create(`/load-${i}-${n}`);
        await Promise.race([call, sleep(3000).then(() => Promise.reject(new Error('late')))]);
        acked.push(`load-${i}-${n}`);
        counts[i]++;
      } catch {
        await sleep(20);
      }
  });
  for (const node of cluster.ids()) {
    await cluster.kill(node);
    const before = [...counts];
    await until('all write again', () => counts.every((count, i) => count > before[i] + 3));
    await cluster.start(node);
  }
  stopped = true;
  await Promise.all(running);
  equal(writers.map((zk) => zk.raw.getSessionId().toString('hex')), ids);
  check(writers.every((zk) => !zk.states.includes(State.EXPIRED)), 'expired');
  for (const node of cluster.ids()) {
    const reader = await one(node);
    await until(`all on ${node}`, async () => {
      const there = new Set((await reader.getChildren('/'))[0]);
      return acked.every((name) => there.has(name)) && made.every((name) => there.has(name.slice(1)));
    });
  }
  check(acked.length > 20, `${acked.length} writes`);
  cluster.check_alive();
});

await run_tests();
