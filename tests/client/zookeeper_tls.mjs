// The port with TLS: kazoo and ZooKeeper's own client, and those who may not come in.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import tls from 'node:tls';
import { Cluster, await_program, check, equal, free_port, has_program, here, run_tests, skip, start_program, temporary_folder,
  test, until } from './lib.mjs';
import { java_program, need, settings } from './zookeeper_lib.mjs';

const PYTHON = '/usr/bin/python3';
const NETTY = ['common', 'buffer', 'transport', 'resolver', 'codec', 'handler', 'transport-native-unix-common', 'transport-native-epoll']
  .map((name) => `/usr/share/java/netty-${name}.jar`);
const folder = temporary_folder();
const file = (name) => path.join(folder, name);
const read = (name) => fs.readFileSync(file(name));

function certify(name, subject, ...by) {
  const done = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`), '-subj', subject, ...by], { encoding: 'utf8' });
  check(done.status === 0, done.stderr);
}
const signed = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];

if (!has_program('openssl')) {
  test('tls', () => skip('openssl is not installed'));
  await run_tests();
}
certify('ca', '/CN=authority');
certify('server', '/CN=server', ...signed);
certify('ann', '/DC=org/O=good, people/CN=ann', ...signed);
certify('bob', '/CN=bob', ...signed);
certify('eve', '/CN=eve');

const files = { 'zookeeper.tls_cert': file('server.pem'), 'zookeeper.tls_key': file('server.key'), 'zookeeper.tls_ca': file('ca.pem') };
const cluster = await Cluster.make({ sets: { ...settings, ...files } });
const ports = {};
for (const id of cluster.ids()) ports[id] = await free_port();
const listen = (id) => ({ 'zookeeper.tls_listen': `127.0.0.1:${ports[id]}` });
for (const id of cluster.ids()) cluster.spawn(id, { 'cluster.bootstrap': 'yes', ...listen(id) });
for (const id of cluster.ids()) await cluster.ready(id);
const hosts = (port) => cluster.ids().map((id) => `127.0.0.1:${port(id)}`).join(',');

/** Says ruok by TLS: the answer and the server's certificate, or the error. */
function ask(node, options = {}) {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: ports[node], ca: read('ca.pem'), ...options }, () => socket.write('ruok'));
    let text = '', serial;
    socket.on('secureConnect', () => (serial = socket.getPeerCertificate().serialNumber));
    socket.on('data', (data) => (text += data));
    socket.on('error', (error) => resolve({ error: error.code ?? error.message }));
    socket.on('close', () => resolve({ text, serial }));
  });
}
const as = (name) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });

test('kazoo: data, rights by certificate, a session that moves', async () => {
  need(PYTHON, '/usr/lib/python3/dist-packages/kazoo');
  const env = { ...process.env, FOLDER: folder, TLS_HOSTS: hosts((id) => ports[id]), PLAIN_HOSTS: hosts((id) => cluster.zookeeper(id)) };
  const child = start_program(PYTHON, ['-B', path.join(here, 'zookeeper_tls.py')], { stdio: ['pipe', 'pipe', 'pipe'], env });
  let killed;
  readline.createInterface({ input: child.stdout }).on('line', async (line) => {
    if (!line.startsWith('@ kill ')) return;
    killed = cluster.ids().find((id) => ports[id] === Number(line.slice(7)));
    await cluster.kill(killed, 'SIGKILL');
    child.stdin.write('done\n');
  });
  const { code } = await child.ended;
  if (killed) await cluster.start(killed, listen(killed));
  equal(code, 0, child.text);
  equal(child.text.split('\n').filter((line) => line.startsWith('ok ')).length, 4);
});

test("ZooKeeper's own client", async () => {
  need(...NETTY);
  const { args: [gc, cp, classes, name] } = java_program('TlsStory');
  fs.writeFileSync(file('both.pem'), Buffer.concat([read('ann.key'), read('ann.pem')]));
  const properties = {
    'zookeeper.clientCnxnSocket': 'org.apache.zookeeper.ClientCnxnSocketNetty', 'zookeeper.client.secure': 'true',
    'zookeeper.ssl.keyStore.location': file('both.pem'), 'zookeeper.ssl.keyStore.type': 'PEM',
    'zookeeper.ssl.trustStore.location': file('ca.pem'), 'zookeeper.ssl.trustStore.type': 'PEM',
  };
  const { code, out } = await await_program('java', [gc, ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`),
    cp, [classes, ...NETTY].join(':'), name, hosts((id) => ports[id])]);
  equal(code, 0, out);
  check(out.includes('CN=ann,O=good\\, people,DC=org'), out);
});

test('TLS 1.3 and 1.2 are spoken, and nothing older', async () => {
  equal((await ask(1, as('ann'))).text, 'imok');
  equal((await ask(1, { ...as('ann'), maxVersion: 'TLSv1.2' })).text, 'imok');
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
  check((await ask(1, { ...as('ann'), ...old })).error, 'TLS 1.1');
});

test('no certificate, or one of another authority, is refused, and counted', async () => {
  const before = await cluster.metric(1, 'cairn_zookeeper_tls_failed_total');
  for (const options of [{}, as('eve'), { ...as('eve'), maxVersion: 'TLSv1.2' }]) {
    const { text, error } = await ask(1, options);
    check(error !== undefined || text === '', `${text} ${error}`);
  }
  equal(await cluster.metric(1, 'cairn_zookeeper_tls_failed_total'), before + 3);
});

/** Sends bytes as they are, and waits for the end: how long it took. */
const send = (port, bytes) => new Promise((resolve) => {
  const began = Date.now(), socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.on('error', () => {}).on('data', () => {}).on('close', () => resolve(Date.now() - began));
});

test('who speaks no TLS is closed at once, and with him nothing else', async () => {
  for (const bytes of ['ruok\n', 'GET / HTTP/1.1\r\n\r\n', Buffer.alloc(50000, 0x16), Buffer.from('160301000501ffffff00', 'hex')])
    check(await send(ports[1], bytes) < 5000, 'closed');
  equal((await ask(1, as('ann'))).text, 'imok');
});

test('hundreds of connections that never shake hands do no harm, and end', async () => {
  const sockets = await Promise.all(Array.from({ length: 300 }, () => new Promise((resolve) => {
    const socket = net.connect(ports[2], '127.0.0.1', () => resolve(socket));
    socket.ended = new Promise((end) => socket.on('error', () => {}).on('data', () => {}).on('close', end));
  })));
  equal((await ask(2, as('bob'))).text, 'imok');
  await Promise.all(sockets.map((socket) => socket.ended));
  await until('they are gone', async () => (await cluster.metric(2, 'cairn_zookeeper_tls_clients')) === 0);
});

test('SIGHUP: new certificates count, a wrong one changes nothing', async () => {
  const before = (await ask(3, as('ann'))).serial, good = read('server.pem');
  fs.writeFileSync(file('server.pem'), 'nothing');
  process.kill(cluster.pid(3), 'SIGHUP');
  await until('it complains', () => cluster.logs[3].includes("server.pem can't be used"));
  equal((await ask(3, as('ann'))).serial, before);
  fs.writeFileSync(file('server.pem'), good);
  certify('server', '/CN=server', ...signed);
  process.kill(cluster.pid(3), 'SIGHUP');
  await until('it reads them', () => cluster.logs[3].includes('certificates were read again'));
  check((await ask(3, as('ann'))).serial !== before, 'a new certificate');
});

test('a file that is missing or wrong ends the start with a sentence', async () => {
  const other = await Cluster.make({ nodes: 1, sets: { ...files, 'zookeeper.tls_key': file('none.key') } });
  const child = other.spawn(1, { 'cluster.bootstrap': 'yes', 'zookeeper.tls_listen': `127.0.0.1:${await free_port()}` });
  equal((await child.ended).code, 1);
  check(child.text.includes(`the key ${file('none.key')} can't be read`), child.text);
});

test('without such a port OpenSSL is not even loaded', async () => {
  const loaded = (pid) => fs.readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libssl');
  const other = await Cluster.started({ nodes: 1 });
  check(loaded(cluster.pid(1)) && !loaded(other.pid(1)), 'libssl');
});

test('nobody crashed', () => cluster.check_alive());

await run_tests();
