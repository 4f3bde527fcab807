// cairn explain: its pages in a real browser.
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { chromium } from 'playwright-core';
import { at_exit, cairn, check, equal, has_program, run_tests, temporary_folder, test } from './lib.mjs';

const folder = temporary_folder();
let browser;

/** Debian's, not one that the library would fetch. */
async function the_browser() {
  if (!has_program('chromium')) throw new Error('chromium is not installed: tools/setup test (or apt-get install chromium) installs it');
  browser ??= await chromium.launch({ executablePath: spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim(), args: ['--no-sandbox', '--disable-gpu'] });
  return browser;
}

function history_file(name, lines) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, typeof lines === 'string' ? lines : `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
  return file;
}

function generated(name, ...options) {
  const file = path.join(folder, name), { code, err } = cairn('gen', ...options, '-o', file);
  equal(code, 0, err);
  return file;
}

/** The page of a history, open; `complaints` are what the browser had to say. */
async function opened(file, expected, { options = [], width = 1200, scheme = 'light' } = {}) {
  const html = `${file}.html`, { code, err } = cairn('explain', file, '--html', html, ...options);
  equal(code, expected, `exit code (${err})`);
  const context = await (await the_browser()).newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  const complaints = [], began = Date.now();
  page.on('console', (message) => /willReadFrequently/.test(message.text()) || complaints.push(message.text())); // that is the test's own reading
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => request.url().startsWith('file://') || request.url().startsWith('data:') || complaints.push(`asks for ${request.url()}`));
  await page.goto(`file://${html}`);
  await page.waitForFunction(() => window.cairn?.timeline.painted_ms !== undefined);
  return { page, context, complaints, bytes: fs.statSync(html).size, ms: Date.now() - began };
}

const bar_of = (page, op) => page.evaluate((number) => {
  const { timeline } = window.cairn, { x0, x1 } = timeline.bar(number), row = timeline.row_at(number), box = timeline.canvas.getBoundingClientRect();
  return { x: box.left + (x0 + x1) / 2, y: box.top + timeline.row_y(row) + timeline.rows[row].high / 2, width: x1 - x0, row };
}, op);
const span = (page) => page.evaluate(() => window.cairn.timeline.view.to - window.cairn.timeline.view.from);
const button = (page, text) => page.locator('#tools button', { hasText: new RegExp(`^${text}`) });

/** A pixel of the timeline that is not as the empty page. */
const drawn_at = (page, { x, y }) => page.evaluate(([px, py]) => {
  const { canvas, ratio } = window.cairn.timeline, box = canvas.getBoundingClientRect();
  const at = (ax, ay) => [...canvas.getContext('2d').getImageData(Math.round((ax - box.left) * ratio), Math.round((ay - box.top) * ratio), 1, 1).data].join();
  return at(px, py + 9) !== at(px, py + 20);
}, [x, y]);

// A write that was read, and then not any more.
const event = (process, type, f, value, time) => ({ process, type, f, key: 'x', value, time });
const STALE = [
  event(0, 'invoke', 'write', 1, 1000), event(0, 'ok', 'write', 1, 2000), event(1, 'invoke', 'write', 2, 3000), event(1, 'ok', 'write', 2, 4000),
  { process: 'nemesis', type: 'info', f: 'isolate', value: { what: 'isolate leader', nodes: [1] }, time: 4200 },
  event(2, 'invoke', 'read', null, 4500), event(2, 'ok', 'read', 2, 5000), event(3, 'invoke', 'read', null, 6000), event(3, 'ok', 'read', 1, 7000),
  { process: 'nemesis', type: 'info', f: 'end-isolate', value: { what: 'isolate leader', nodes: [1] }, time: 7500 },
  event(0, 'invoke', 'write', 9, 7600), event(0, 'fail', 'write', 9, 7700), event(1, 'invoke', 'write', 3, 7800), event(1, 'info', 'write', 3, 9000),
];

test('a contradiction is drawn and told step by step', async () => {
  const { page, context, complaints } = await opened(history_file('stale.jsonl', STALE), 1);
  equal(await page.locator('h1').textContent(), 'No: this history is not linearizable.');
  const steps = page.locator('ol.steps li');
  check(await steps.count() >= 3, 'steps');
  const told = await page.locator('#evidence').textContent();
  for (const words of ['process 3: read x → 1', 'process 0: write x 1', 'because it had ended at 3.000 µs before the other began at 5.000 µs']) check(told.includes(words), `${words} in ${told}`);
  const evidence = await page.evaluate(() => [...window.cairn.page.show.evidence]);
  for (const op of evidence) check(await drawn_at(page, await bar_of(page, op)), `operation ${op} is drawn`);
  await page.locator('.step').first().click();
  check(await steps.first().evaluate((element) => element.classList.contains('chosen')), 'the step is chosen');
  equal(await page.evaluate(() => window.cairn.page.show.edge), 0, 'and its arrow');
  equal(complaints, []);
  await context.close();
});

test('an operation says everything about itself, by mouse and by keyboard', async () => {
  const { page, context, complaints } = await opened(history_file('say.jsonl', STALE), 1);
  const { x, y } = await bar_of(page, 3);
  await page.mouse.move(x, y);
  check((await page.locator('#tip').textContent()).includes('line 8'), 'hovering');
  await page.mouse.click(x, y);
  const details = page.locator('#selected');
  check(/read x → 1.*line 8.*process.*3.*answer.*1.*ok/s.test(await details.textContent()), await details.textContent());
  await page.locator('#timeline').focus();
  await page.keyboard.press('n');
  check((await details.textContent()).includes('failed: it did not happen'), 'the next one failed');
  await page.keyboard.press('n');
  check((await details.textContent()).includes('it is not known whether it happened'), 'the last one is open');
  await page.keyboard.press('Escape');
  check((await details.textContent()).includes('Choose an operation'), 'nothing is chosen');
  equal(complaints, []);
  await context.close();
});

test('filters, faults and both axes', async () => {
  const { page, context, complaints } = await opened(history_file('axes.jsonl', STALE), 1, { scheme: 'dark' });
  const shown = () => page.evaluate(() => window.cairn.timeline.shown);
  equal(await page.evaluate(() => window.cairn.history.bands.map(({ label, mark }) => [label, mark])), [['isolate leader (nodes 1)', false]], 'bands');
  equal(await shown(), 6);
  await button(page, 'failed').click();
  equal(await shown(), 5, 'without the failed one');
  await button(page, 'only these').click();
  equal(await shown(), await page.evaluate(() => window.cairn.page.show.evidence.size), 'only these');
  await button(page, 'all').click();
  await page.locator('#filters select').selectOption({ label: 'process 2' });
  equal(await shown(), 1, 'of process 2');
  await page.locator('#filters select').selectOption('-1');
  await button(page, 'time').click();
  equal(await page.evaluate(() => window.cairn.timeline.begin_of(1)), 2000, 'time after the first event');
  await button(page, 'events').click();
  equal(await page.evaluate(() => window.cairn.timeline.begin_of(1)), 2, 'events');
  equal(complaints, []);
  await context.close();
});

test('wheel, buttons, keys and dragging zoom and move', async () => {
  const { page, context, complaints } = await opened(generated('zoom.jsonl', '--ops', '300', '--clients', '4'), 0);
  await button(page, 'whole').click();
  const whole = await span(page), box = await page.locator('#timeline').boundingBox();
  await page.mouse.move(box.x + 500, box.y + 80);
  await page.mouse.wheel(0, -300);
  await page.waitForFunction((before) => window.cairn.timeline.view.to - window.cairn.timeline.view.from < before * 0.8, whole);
  const wheeled = await span(page);
  await page.locator('#tools button[title^="zoom in"]').click();
  check(await span(page) < wheeled, 'the button zooms');
  const from = () => page.evaluate(() => window.cairn.timeline.view.from);
  const before = await from();
  await page.mouse.move(box.x + 500, box.y + 80);
  await page.mouse.down();
  await page.mouse.move(box.x + 300, box.y + 80, { steps: 4 });
  await page.mouse.up();
  check(await from() > before, 'dragging to the left shows what is to the right');
  await page.locator('#timeline').focus();
  await page.keyboard.press('0');
  equal(await span(page), whole, '0 shows all');
  await page.keyboard.press('+');
  check(await span(page) < whole, '+ zooms');
  equal(complaints, []);
  await context.close();
});

test('an order is numbered on the bars, within them, and replays', async () => {
  const { page, context, complaints } = await opened(generated('order.jsonl', '--ops', '60', '--clients', '5', '--keys', '1'), 0);
  equal(await page.locator('h1').textContent(), 'Yes: this history is linearizable.');
  const outside = await page.evaluate(() => {
    const { history, page: { show } } = window.cairn;
    return [...show.points].filter(([op, at]) => !(at > history.call[op] && at < history.ret[op])).length + (show.points.size < 60 ? 1000 : 0);
  });
  equal(outside, 0, 'points outside of their bars');
  const next = page.locator('.replay button', { hasText: 'next' });
  for (let i = 0; i < 3; i++) await next.click();
  check(/^after 3 of \d+: /.test(await page.locator('.state').textContent()), await page.locator('.state').textContent());
  equal(complaints, []);
  await context.close();
});

test('what a search refutes is shown as the few operations that matter', async () => {
  const lines = [], put = (process, f, value, key = 'q') => lines.push({ process, type: 'invoke', f, key, value: f === 'dequeue' ? null : value }, { process, type: 'ok', f, key, value });
  for (let i = 0; i < 40; i++) put(0, 'enqueue', i);
  put(1, 'dequeue', 1);
  put(1, 'dequeue', 0);
  const { page, context, complaints } = await opened(history_file('queue.jsonl', lines), 1, { options: ['--model', 'queue'] });
  const told = await page.locator('#evidence').textContent();
  check(told.includes('dequeue q → 1'), told);
  check(await page.evaluate(() => window.cairn.page.show.evidence.size) <= 4, 'few operations');
  equal(complaints, []);
  await context.close();
});

test('ten thousand operations are drawn within two seconds', async () => {
  const { page, context, complaints, ms, bytes } = await opened(generated('large.jsonl', '--ops', '10000', '--clients', '30', '--info', '1', '--bad'), 1);
  check(ms < 2000, `${ms} ms`);
  check(bytes < 4e6, `${bytes} bytes`);
  await button(page, 'all').click();
  await button(page, 'whole').click();
  await page.waitForTimeout(100);
  const painted_ms = await page.evaluate(() => window.cairn.timeline.painted_ms);
  check(painted_ms < 200, `all of them in ${painted_ms} ms`);
  equal(complaints, []);
  await context.close();
});

test('the lattice has every level, and marks the one that was asked', async () => {
  const iriw = [
    event(0, 'invoke', 'write', 1), { ...event(1, 'invoke', 'write', 1), key: 'y' }, event(0, 'ok', 'write', 1), { ...event(1, 'ok', 'write', 1), key: 'y' },
    event(2, 'invoke', 'read', null), event(2, 'ok', 'read', 1), { ...event(2, 'invoke', 'read', null), key: 'y' }, { ...event(2, 'ok', 'read', null), key: 'y' },
    { ...event(3, 'invoke', 'read', null), key: 'y' }, { ...event(3, 'ok', 'read', 1), key: 'y' }, event(3, 'invoke', 'read', null), event(3, 'ok', 'read', null),
  ];
  const { page, context, complaints } = await opened(history_file('iriw.jsonl', iriw), 1, { options: ['--level', 'sequential'] });
  equal(await page.locator('svg .asked').getAttribute('data-level'), 'sequential');
  equal(await page.locator('svg [data-level="linearizable"]').getAttribute('class'), 'level no');
  equal(await page.locator('svg [data-level="causal-memory"]').getAttribute('class'), 'level yes');
  equal(await page.locator('svg .level').count(), JSON.parse(cairn('place', path.join(folder, 'iriw.jsonl'), '--json').out).levels ? 12 : 0, 'levels');
  equal(complaints, []);
  await context.close();
});

test('hostile values do no harm', async () => {
  const evil = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">\'"`${1}\u202e\u0007\n<!--]]>&amp;';
  const lines = [];
  const put = (process, f, key, asked, answer) => lines.push({ process, type: 'invoke', f, key, value: asked }, { process, type: 'ok', f, key, value: answer });
  put(`${evil}p`, 'write', evil, evil, evil);
  put('1', 'write', evil, 'L'.repeat(100000), 'L'.repeat(100000));
  lines.push({ process: 'nemesis', type: 'info', f: `start-${evil}`, value: { what: evil, [evil]: [evil] } });
  put('2', 'read', evil, null, evil);
  put('3', 'write', '__proto__', { constructor: [evil, null], '': 'LARGE' }, { constructor: [evil, null], '': 'LARGE' });
  const text = lines.map((line) => JSON.stringify(line)).join('\n').replaceAll('"LARGE"', '-9007199254740993');
  const { page, context, complaints, bytes } = await opened(history_file('evil<b>.jsonl', text), 1);
  equal(await page.evaluate(() => window.hacked), undefined, 'hacked');
  equal(await page.locator('img').count(), 0, 'images');
  check((await page.locator('#evidence').textContent()).includes('</script><script>window'), 'it is shown as text');
  await page.evaluate(() => window.cairn.page.select(1, true));
  await page.locator('#selected .more').click();
  check((await page.locator('#selected').textContent()).includes('L'.repeat(100000)), 'all of a long value, when asked for');
  await page.evaluate(() => window.cairn.page.select(3, true));
  check((await page.locator('#selected').textContent()).includes('-9007199254740993'), 'every digit of a large number');
  check(bytes < 1e6, `${bytes} bytes`);
  equal(complaints, []);
  await context.close();
});

test('the page goes where it is told, and misuse has exit code 3', async () => {
  const file = history_file('where.jsonl', STALE);
  const { code, out } = cairn('explain', file);
  equal(code, 1);
  check(out.includes(path.join(folder, 'where.html')) && fs.existsSync(path.join(folder, 'where.html')), out);
  const standard = cairn('explain', file, '--html', '-');
  check(standard.out.startsWith('<!DOCTYPE html>') && standard.out.trimEnd().endsWith('</html>'), 'standard output');
  for (const args of [[], [file, file], ['/nonexistent'], [file, '--level', 'nosuch'], [file, '--html', path.join(folder, 'no', 'such', 'x.html')], [file, '--nosuch']]) equal(cairn('explain', ...args).code, 3, args.join(' '));
});

at_exit(() => browser?.close());
await run_tests();
