// cairn dev: its folder, whatever interrupts it and whatever it is asked for the next time.
// KILLS=40 for more interrupted first starts (make soak).
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Cluster, binary, call_program, check, equal, http, run_tests, sleep, start_program, temporary_folder, test, until } from './lib.mjs';

const SERVES = 'The cluster serves. Ctrl-C stops it.';
const KILLS = Number(process.env.KILLS ?? 4);

class Dev {
  static async in_new_folder() {
    const dev = new Dev();
    dev.ports = await Cluster.make();
    dev.folder = path.join(temporary_folder(), 'data');
    return dev;
  }
  args(...args) { return ['dev', '--dir', this.folder, '--port-offset', `${this.ports.offset}`, ...args]; }
  start(...args) { return (this.child = start_program(binary, this.args(...args))); }
  call(...args) { return call_program(binary, this.args(...args), { timeout: 15000 }); }
  says(text) { return until(`"${text}" of ${this.child.text.slice(-600)}`, () => this.child.text.includes(text), 20000); }
  async serves(...args) {
    this.start(...args);
    await this.says(SERVES);
  }
  async stop(signal = 'SIGINT') {
    this.child.kill(signal);
    return this.child.ended;
  }
  files() {
    return Object.fromEntries(fs.readdirSync(this.folder).filter((name) => fs.statSync(path.join(this.folder, name)).isFile())
      .map((name) => [name, fs.readFileSync(path.join(this.folder, name), 'utf8') + fs.statSync(path.join(this.folder, name)).mtimeMs]));
  }
}

test(`a first start that is killed within 40 ms, ${KILLS} times, serves the next time, and leaves no node behind`, async () => {
  for (let i = 0; i < KILLS; i++) {
    const dev = await Dev.in_new_folder();
    dev.start();
    await sleep((40 * i) / KILLS + Math.random() * (40 / KILLS));
    await dev.stop('SIGKILL');
    await dev.serves();
    for (const id of [1, 2, 3]) check(dev.child.text.includes(`ready node=${id} `), dev.child.text);
    const ends = dev.child.text.split('\n').filter((line) => / ended /.test(line));
    equal(ends, []);
    equal((await dev.stop()).code, 0);
  }
}, { timeout_ms: 30000 + 3000 * KILLS });

const dev = await Dev.in_new_folder();
const commands = () => dev.child.text.match(/\S+ server --config \S+/g) ?? [];

test('what was set stands in the nodes\' files, so that one is started again as it was', async () => {
  await dev.serves('--set', 'zookeeper.words=ruok', '--set', 'redis.password=a;b #c');
  for (const id of [1, 2, 3]) {
    const text = fs.readFileSync(`${dev.folder}/node-${id}.ini`, 'utf8');
    check(text.includes('words = ruok\n') && text.includes('password = a;b #c\n'), text);
  }
  const pid = Number(fs.readFileSync(`${dev.folder}/node-2/pid`, 'utf8'));
  process.kill(pid, 'SIGKILL');
  await until('how to start it', () => commands().length === 1);
  const again = start_program(...((words) => [words[0], words.slice(1)])(commands()[0].split(' ')));
  await until('it serves again', () => again.text.includes('ready node=2'));
  const client = await dev.ports.client(2);
  equal((await client.ask('PING')).message, 'NOAUTH Authentication required.');
  client.close();
  const socket = net.connect(dev.ports.zookeeper(2), '127.0.0.1', () => socket.write('srvr'));
  equal(`${await new Promise((resolve) => socket.once('data', resolve))}`, 'srvr is not executed because it is not in the whitelist.\n');
  again.kill('SIGTERM');
  equal((await again.ended).code, 0);
});

test('a second one on the same folder changes nothing, while the first runs and while nodes run alone', async () => {
  const before = dev.files();
  for (const args of [[], ['--port-offset', `${dev.ports.offset + 1000}`], ['--nodes', '5']]) {
    const { code, err } = dev.call(...args);
    check(code === 1 && err.includes('another cairn dev runs on') && err.includes('nothing was changed'), err);
  }
  equal(dev.files(), before);
  equal((await dev.stop()).code, 0);
  const alone = start_program(binary, ['server', '--config', `${dev.folder}/node-3.ini`]);
  await until('it runs', () => alone.text.includes('candidate'));
  const { code, err } = dev.call();
  check(code === 1 && err.includes('node 3 runs on'), err);
  equal(dev.files(), before);
  alone.kill('SIGTERM');
  await alone.ended;
});

test('at other ports: it serves there, and the members\' addresses are recorded', async () => {
  const elsewhere = await Cluster.make();
  dev.ports = elsewhere;
  await dev.serves();
  const list = () => call_program(binary, ['member', 'list', '--dir', dev.folder]).out;
  await until('their addresses are recorded', () => [1, 2, 3].every((id) => list().includes(`127.0.0.1:${elsewhere.peer(id)} `)));
  equal((await dev.stop()).code, 0);
});

test('a port that is taken is named before anything is written', async () => {
  const fresh = await Dev.in_new_folder();
  for (const port of [fresh.ports.redis(2), fresh.ports.peer(1), fresh.ports.admin(3), fresh.ports.zookeeper(1)]) {
    const taken = net.createServer().listen(port, '127.0.0.1');
    await until('it listens', () => taken.listening);
    const { code, err } = fresh.call();
    check(code === 1 && err.includes(`port ${port}, node `) && err.includes('--port-offset'), err);
    equal(Object.keys(fresh.files()), ['lock']);
    await new Promise((resolve) => taken.close(resolve));
  }
  await fresh.serves('--nodes', '1');
  await fresh.stop();
});

test('other numbers of nodes: more are told how to come in, fewer serve or say why not', async () => {
  await dev.serves('--nodes', '4');
  await dev.says(`node 4: waiting to be added to a cluster\n        ${binary} member add 4 127.0.0.1:${dev.ports.peer(4)} --dir ${dev.folder}`);
  const added = call_program(binary, ['member', 'add', '4', `127.0.0.1:${dev.ports.peer(4)}`, '--dir', dev.folder], { env: { ...process.env, CAIRN_TOKEN_FILE: `${dev.folder}/node-1/token` } });
  equal(added.out, 'OK\n', added.err);
  await dev.says('All nodes serve.');
  await dev.stop();
  await dev.serves(); // as many as the folder has
  check(dev.child.text.includes('\n4 nodes, data in'), dev.child.text);
  await dev.stop();
  await dev.serves('--nodes', '3');
  await dev.stop();
  dev.start('--nodes', '1');
  await dev.says('No node serves yet:\n    node 1: no leader\nThe folder has more nodes');
  await dev.stop();
});

test('a node that can\'t start does not keep the others from being told to serve', async () => {
  fs.writeFileSync(`${dev.folder}/node-3/identity`, 'nonsense');
  await dev.serves();
  await dev.says('3 of 4 nodes serve:\n    node 3: it does not run');
  const pids = [1, 2, 4].map((id) => Number(fs.readFileSync(`${dev.folder}/node-${id}/pid`, 'utf8')));
  pids.forEach((pid) => process.kill(pid, 'SIGKILL'));
  equal((await dev.child.ended).code, 1, 'it ends when all of its nodes have ended');
  check(dev.child.text.includes('cairn dev: every node has ended'), dev.child.text);
});

test('a founding that was interrupted goes on as it was begun, or says how', async () => {
  const begun = await Dev.in_new_folder();
  await begun.serves();
  await begun.stop();
  fs.rmSync(`${begun.folder}/founded`); // as if it had been killed before
  for (const other of [['--nodes', '5'], ['--port-offset', `${begun.ports.offset + 10}`]]) {
    const { code, err } = begun.call(...other);
    check(code === 1 && err.includes(`--nodes 3 --port-offset ${begun.ports.offset}`), err);
  }
  await begun.serves();
  check(fs.existsSync(`${begun.folder}/founded`), 'founded');
  await begun.stop();
});

test('settings that are each node\'s own are refused, no Redis or no ZooKeeper is not', async () => {
  const fresh = await Dev.in_new_folder();
  for (const set of ['node.id=2', 'node.dir=x', 'redis.listen=127.0.0.1:1', 'peer.listen=127.0.0.1:1', 'cluster.members=1=a:1', 'cluster.bootstrap=no', 'cluster.name=x', 'raft.heartbeat_ms=1000']) {
    const { code, err } = fresh.call('--set', set);
    check(code === 3 && err.includes(set.split('=')[0].split('.')[1].split('_')[0]), `${set}: ${err}`);
  }
  check(!fs.existsSync(fresh.folder), 'nothing is made');
  await fresh.serves('--nodes', '1', '--set', 'redis.listen=');
  check(!fresh.child.text.includes(' shell ') && fresh.child.text.includes(' zk '), fresh.child.text);
  equal((await http(fresh.ports.admin(1), '/health')).text, 'ok\n');
  await fresh.stop();
});

run_tests();
