// The secret that nodes share: a node that has none, or another one, is kept out and told why; it is set and replaced
// on a running cluster; bad files are refused in words.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Cluster, binary, call_program, check, equal, http, run_tests, sleep, start_program, temporary_folder, test, until } from './lib.mjs';

const folder = temporary_folder();
const OLD = '0f'.repeat(32), NEW = 'a9'.repeat(32);
const write = (name, ...lines) => {
  const file = path.join(folder, name);
  fs.writeFileSync(file, lines.join('\n') + '\n', { mode: 0o600 });
  return file;
};
const health = async (cluster, id) => (await http(cluster.admin(id), '/health')).text.trim();
const linked = (cluster) => until('all links are up', async () => {
  for (const id of cluster.ids()) if ((await cluster.status(id)).links_up !== cluster.size - 1) return false;
  return true;
});
/** Writes again and again, each within a second. */
function writer(cluster, id) {
  const run = { count: 0, problems: [], stopped: false };
  run.over = (async () => {
    const client = await cluster.client(id);
    for (; !run.stopped; run.count++) {
      const began = Date.now();
      const reply = await client.ask('INCR', 'written');
      if (reply instanceof Error || Date.now() - began > 3000) run.problems.push(`${reply} after ${Date.now() - began} ms`);
      await sleep(5);
    }
    client.close();
  })();
  return run;
}

test('a node with another secret, or with none, is kept out, and both sides say why', async () => {
  const cluster = await Cluster.make();
  const right = write('right', OLD), wrong = write('wrong', NEW);
  for (const id of [1, 2, 3]) cluster.spawn(id, { 'cluster.bootstrap': 'yes', 'peer.secret_file': right });
  for (const id of [1, 2, 3]) await cluster.ready(id);
  for (const [extra, here, there] of [
    [{ 'peer.secret_file': wrong }, 'it does not take this node\'s secret', 'its secret is another one'],
    [{}, 'it asks for a secret, and this node has none', 'it has no secret, and this node asks for one']]) {
    await cluster.kill(3, 'SIGTERM');
    for (const id of [1, 2]) cluster.logs[id] = '';
    cluster.spawn(3, extra);
    await until('its health says why', async () => (await health(cluster, 3)).includes(here));
    check((await health(cluster, 3)).startsWith('no leader: no link to node '), 'which node');
    await until('the others say why', () => cluster.logs[1].includes(`refused a connection from node 3: ${there}`));
    await sleep(2000);
    check(cluster.logs[1].split(`from node 3: ${there}`).length <= 4, cluster.logs[1]);
    equal(await health(cluster, 1), 'ok');
  }
  await cluster.kill(3, 'SIGTERM');
  await cluster.start(3, { 'peer.secret_file': right });
  await linked(cluster);
  await cluster.stop_all();
});

test('a stranger that knows all of a member but the secret gets no further than hello', async () => {
  const cluster = await Cluster.make({ sets: { 'peer.secret_file': write('one', OLD) } });
  await cluster.start_all();
  const says = (make) => new Promise((resolve) => {
    const socket = net.connect(cluster.peer(1), '127.0.0.1');
    let got = Buffer.alloc(0), said = false;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      got = Buffer.concat([got, data]);
      if (!said) socket.write(make(got));
      said = true;
    });
    socket.on('close', () => resolve(got));
  });
  await cluster.kill(3);
  const hello_of = () => new Promise((resolve) => net.connect(cluster.peer(2), '127.0.0.1').once('data', function (data) {
    this.destroy();
    resolve(data);
  }).on('error', () => {}));
  // What node 2 said to another: a true hello of a member, with a nonce. Behind it, node 1's own bytes.
  const borrowed = await hello_of();
  const began = Date.now();
  const answer = await says((own) => Buffer.concat([borrowed, own]));
  equal(answer.length, borrowed.length, 'nothing but a hello was answered');
  check(Date.now() - began < 8000, 'it is closed');
  equal((await cluster.status(1)).links_up, 1, 'the link to node 2 is still there');
  await cluster.start(3);
  await linked(cluster);
  await cluster.stop_all();
});

test('a secret is replaced on a running cluster, by SIGHUP, while writes go on', async () => {
  const cluster = await Cluster.make();
  const files = {};
  for (const id of cluster.ids()) files[id] = write(`turn-${id}`, OLD);
  for (const id of cluster.ids()) cluster.spawn(id, { 'cluster.bootstrap': 'yes', 'peer.secret_file': files[id] });
  for (const id of cluster.ids()) await cluster.ready(id);
  const load = writer(cluster, 1);
  for (const lines of [[OLD, NEW], [NEW, OLD], [NEW]])
    for (const id of cluster.ids()) {
      write(path.basename(files[id]), ...lines);
      cluster.logs[id] = '';
      process.kill(cluster.pid(id), 'SIGHUP');
      await until('it is read', () => cluster.logs[id].includes('the secret file was read again'));
      await linked(cluster);
    }
  write('turn-1', 'short');
  cluster.logs[1] = '';
  process.kill(cluster.pid(1), 'SIGHUP');
  await until('a bad file is told', () => cluster.logs[1].includes('line 1: a secret has at least 32 characters'));
  await cluster.kill(2, 'SIGTERM');
  await cluster.start(2, { 'peer.secret_file': files[2] });
  await linked(cluster); // node 1 still has the one before
  load.stopped = true;
  await load.over;
  equal(load.problems, [], 'writes');
  const client = await cluster.client(2);
  equal(await client.call('GET', 'written'), String(load.count));
  client.close();
  await cluster.stop_all();
});

test('a running cluster without a secret gets one, node by node', async () => {
  const cluster = await Cluster.make();
  await cluster.start_all();
  const client = await cluster.client(1);
  equal(await client.call('SET', 'kept', 'yes'), 'OK');
  client.close();
  const files = {};
  for (const id of cluster.ids()) {
    files[id] = write(`first-${id}`, OLD, 'accept-without-secret');
    await cluster.kill(id, 'SIGTERM');
    await cluster.start(id, { 'peer.secret_file': files[id] });
    await linked(cluster);
  }
  for (const id of cluster.ids()) {
    write(`first-${id}`, OLD);
    process.kill(cluster.pid(id), 'SIGHUP');
    await until('it is read', () => cluster.logs[id].includes('one secret is accepted"'));
    await linked(cluster);
  }
  await cluster.kill(2, 'SIGTERM');
  cluster.spawn(2);
  await until('one without is refused now', async () => (await health(cluster, 2)).includes('this node has none'));
  await cluster.kill(2, 'SIGTERM');
  await cluster.start(2, { 'peer.secret_file': files[2] });
  const again = await cluster.client(2);
  equal(await again.call('GET', 'kept'), 'yes');
  again.close();
  await cluster.stop_all();
});

test('a file that is no secret is refused at the start, in words', async () => {
  const cluster = await Cluster.make({ nodes: 1 });
  const open = write('open', OLD), secret = write('unreadable', OLD);
  fs.chmodSync(open, 0o644);
  fs.chmodSync(secret, 0o000);
  fs.mkdirSync(path.join(folder, 'a-folder'));
  const cases = [['empty', write('empty', ''), 'there is no secret in it'], ['short', write('short', '12345'), 'line 1: a secret has at least 32'],
    ['open', open, 'others than its owner may read or change it'], ['absent', path.join(folder, 'absent'), 'No such file'],
    ['a folder', path.join(folder, 'a-folder'), 'it is no regular file'], ['three', write('three', OLD, NEW, OLD), 'line 3: there are two secrets at most'],
    ['large', write('large', '#'.repeat(5000), OLD), 'it is too large']];
  if (process.getuid() !== 0) cases.push(['unreadable', secret, 'Permission denied']);
  for (const [name, file, told] of cases) {
    const { code, err } = call_program(binary, cluster.args(1, { 'cluster.bootstrap': 'yes', 'peer.secret_file': file }), { timeout: 5000 });
    equal(code, 1, name);
    check(err.includes(`peer.secret_file ${file}: `) && err.includes(told), `${name}: ${err}`);
    check(!err.includes(OLD), 'the secret is not shown');
  }
});

test('cairn dev makes a secret for its owner alone, and keeps it', async () => {
  const cluster = await Cluster.make();
  const file = path.join(cluster.folder, 'peer-secret');
  const dev = () => start_program(binary, ['dev', '--dir', cluster.folder, '--port-offset', String(cluster.offset)]);
  let made = '';
  for (let i = 0; i < 2; i++) {
    const child = dev();
    await until('it serves', () => child.text.includes('The cluster serves.'));
    equal(fs.statSync(file).mode & 0o777, 0o600);
    if (i > 0) equal(fs.readFileSync(file, 'utf8'), made, 'the same secret');
    made = fs.readFileSync(file, 'utf8');
    check(/^[0-9a-f]{64}\n$/.test(made), made);
    child.kill('SIGTERM');
    equal((await child.ended).code, 0);
  }
});

run_tests();
