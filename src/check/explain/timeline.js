// The timeline: lanes of operations on a canvas. Only what is visible is drawn, and of what falls
// into one pixel only one.

const GUTTER = 92, AXIS = 22, BAND = 16, OVERVIEW = 26, BAR_GAP = 3;
const COLOURS = 8;

class Timeline {
  /** show: what is to be seen, shared with the page:
   *  { axis: 'events' | 'time', only, failed, keys: Set | null, process, selected, edge, evidence: Set,
   *    edges, numbers: Map, points: Map } */
  constructor(canvas, history, show, on) {
    Object.assign(this, { canvas, history, show, on, scroll: 0, view: { from: 0, to: 1 }, hover: NONE });
    this.context = canvas.getContext('2d');
    this.listen();
    this.choose();
    this.theme();
  }

  theme() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = { text: of('text'), faint: of('faint'), line: of('line'), page: of('page'), stripe: of('stripe'), bad: of('bad'), good: of('good'), fault: of('fault'), plain: of('plain') };
    this.keys = Array.from({ length: COLOURS }, (_, i) => of(`key-${i}`));
    this.draw();
  }

  // ---- what is shown ----

  visible(op) {
    const { show, history } = this;
    if (show.only && !show.evidence.has(op)) return false;
    if (!show.failed && history.ops.outcome[op] === FAILED) return false;
    if (show.process !== NONE && history.lane_of[history.ops.process[op]] !== show.process) return false;
    return show.keys === null || op_keys(history, op).some((key) => show.keys.has(key));
  }

  /** After a change of what is shown. */
  choose() {
    const { history } = this;
    this.rows = [];
    this.row_of = new Int32Array(history.lanes.length).fill(NONE);
    this.shown = 0;
    history.lanes.forEach((lane, i) => {
      const ops = lane.ops.filter((op) => this.visible(op));
      if (ops.length === 0) return;
      this.shown += ops.length;
      this.rows.push({ name: lane.name, ops, open: ops.filter((op) => history.ret[op] === Infinity), lane: i, proof: ops.some((op) => this.show.evidence.has(op)) });
    });
    if (this.rows.length > 16) this.rows.sort((a, b) => b.proof - a.proof); // what matters stands together
    if (this.show.edges.some(([from, to]) => from === NONE || to === NONE)) this.rows.unshift({ name: '', ops: [], open: [], lane: NONE, proof: false, initial: true });
    this.rows.forEach(({ lane }, i) => { if (lane !== NONE) this.row_of[lane] = i; });
    this.make_axis();
    this.order = null;
    this.overview = null;
    this.size();
  }

  /** Every operation that is shown, by its call. */
  in_order() {
    this.order ??= this.rows.flatMap((row) => row.ops).sort((a, b) => this.history.call[a] - this.history.call[b]);
    return this.order;
  }

  // ---- from positions of events to the axis ----

  make_axis() {
    const { history, show } = this;
    this.knots = null;
    if (show.axis === 'time' && history.timed) {
      this.knots_of_time();
      return;
    }
    if (!show.only) {
      this.first = 0;
      this.last = history.end;
      return;
    }
    const positions = new Set();
    for (const row of this.rows)
      for (const op of row.ops) {
        positions.add(history.call[op]);
        if (history.ret[op] !== Infinity) positions.add(history.ret[op]);
      }
    if (history.bands.length <= 12) for (const band of history.bands) positions.add(band.from).add(band.to);
    const at = [...positions].sort((a, b) => a - b);
    this.knots = { at, to: this.widths(at) };
    this.first = -1;
    this.last = (this.knots.to[at.length - 1] ?? 0) + 2;
  }

  /** Of a few operations far apart every event gets its place, and operations more than gaps. */
  widths(at) {
    const begins = new Map(), { history } = this;
    let open = 0, sum = 0;
    for (const row of this.rows)
      for (const op of row.ops) {
        const ret = history.ret[op];
        if (ret === Infinity) continue;
        begins.set(history.call[op], (begins.get(history.call[op]) ?? 0) + 1);
        begins.set(ret, (begins.get(ret) ?? 0) - 1);
      }
    return at.map((position) => {
      const place = sum;
      open += begins.get(position) ?? 0;
      sum += open > 0 ? 4 : 1;
      return place;
    });
  }

  knots_of_time() {
    const { history } = this;
    const points = [];
    for (let op = 0; op < history.count; op++) {
      points.push([history.call[op], history.call_ns[op]]);
      if (!Number.isNaN(history.ret_ns[op]) && history.ret[op] !== Infinity) points.push([history.ret[op], history.ret_ns[op]]);
    }
    points.sort((a, b) => a[0] - b[0]);
    this.knots = { at: points.map(([at]) => at), to: points.map(([, to]) => to) };
    let [first, last] = [Infinity, -Infinity];
    for (const row of this.rows)
      for (const op of row.ops) {
        first = Math.min(first, history.call_ns[op]);
        last = Math.max(last, history.call_ns[op], history.ret_ns[op] || 0);
      }
    if (first === Infinity) [first, last] = [0, 1];
    const room = Math.max(1, (last - first) * 0.02);
    this.first = first - room;
    this.last = last + room;
  }

  /** A position, perhaps between two events, on the axis. */
  at(position) {
    if (this.knots === null) return position;
    const { at, to } = this.knots;
    let low = 0, high = at.length - 1;
    if (high < 0) return position;
    if (position <= at[0]) return to[0] - (position < at[0] ? 0.5 : 0) * (this.show.axis === 'time' ? 0 : 1);
    if (position >= at[high]) return to[high] + (position > at[high] ? 0.5 : 0) * (this.show.axis === 'time' ? 0 : 1);
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (at[middle] <= position) low = middle;
      else high = middle;
    }
    const part = (position - at[low]) / (at[high] - at[low] || 1);
    return to[low] + part * (to[high] - to[low]);
  }

  begin_of(op) {
    return this.show.axis === 'time' && this.history.timed ? this.history.call_ns[op] : this.at(this.history.call[op]);
  }

  end_of(op) {
    const { history } = this;
    if (history.ret[op] === Infinity) return Infinity;
    if (this.show.axis === 'time' && history.timed) return Number.isNaN(history.ret_ns[op]) ? history.call_ns[op] : history.ret_ns[op];
    return this.at(history.ret[op]);
  }

  // ---- the view ----

  size() {
    const { canvas } = this;
    const width = canvas.parentElement.clientWidth;
    const bands = this.history.bands.length > 0 ? BAND : 0;
    const most = Math.max(220, window.innerHeight * 0.58);
    const rows = Math.max(1, this.rows.length);
    const fits = (most - AXIS - bands - OVERVIEW) / rows;
    const usual = Math.max(18, Math.min(rows <= 8 ? 52 : 34, Math.floor(fits))), roomy = Math.max(usual, this.show.evidence.size > 0 ? 44 : 0);
    let y = 0;
    for (const row of this.rows) {
      row.high = row.proof && rows > 16 && !this.show.only ? roomy : usual;
      row.y = y;
      y += row.high;
    }
    this.tall = Math.max(y, usual);
    this.row_height = usual;
    this.top = AXIS + bands;
    const height = Math.min(most, this.top + this.tall + OVERVIEW + 4);
    const ratio = window.devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    Object.assign(this, { width, height, ratio, bottom: height - OVERVIEW });
    this.scroll_to(this.scroll);
    this.overview = null;
    this.draw();
  }

  scroll_to(y) {
    const most = Math.max(0, this.tall - (this.bottom - this.top));
    this.scroll = Math.min(most, Math.max(0, y));
    this.draw();
  }

  set_view(from, to) {
    const whole = this.last - this.first, least = this.show.axis === 'time' ? 20 : 3;
    let span = Math.min(whole, Math.max(least, to - from));
    if (!(span > 0)) span = 1;
    from = Math.min(this.last - span, Math.max(this.first, from + (to - from - span) / 2));
    this.view = { from, to: from + span };
    this.draw();
  }

  all() {
    this.set_view(this.first, this.last);
  }

  zoom(factor, x = (this.width + GUTTER) / 2) {
    const at = this.axis_at(x), { from, to } = this.view;
    this.set_view(at - (at - from) * factor, at + (to - at) * factor);
  }

  pan(part) {
    const span = this.view.to - this.view.from;
    this.set_view(this.view.from + part * span, this.view.to + part * span);
  }

  /** Operations come into view, with some room around them. */
  reveal(ops) {
    let from = Infinity, to = -Infinity;
    for (const op of ops) {
      if (op === NONE) continue;
      const begin = this.begin_of(op), end = this.end_of(op);
      from = Math.min(from, begin);
      to = Math.max(to, end === Infinity ? begin : end);
    }
    if (from > to) return;
    const room = Math.max((to - from) * 0.12, this.show.axis === 'time' ? 1000 : 2);
    this.set_view(from - room, to + room);
    this.reveal_rows(ops);
  }

  reveal_rows(ops) {
    const rows = ops.map((op) => (op !== NONE ? this.row_at(op) : this.rows[0]?.initial ? 0 : NONE)).filter((row) => row !== NONE);
    if (rows.length === 0) return;
    const top = this.rows[Math.min(...rows)].y, last = this.rows[Math.max(...rows)], bottom = last.y + last.high;
    const height = this.bottom - this.top;
    if (top < this.scroll || bottom - top > height) this.scroll_to(top - this.row_height / 2);
    else if (bottom > this.scroll + height) this.scroll_to(bottom - height + this.row_height / 2);
  }

  /** One operation comes into view; the scale stays unless it is far too small. */
  centre(op) {
    const { from, to } = this.view, begin = this.begin_of(op), end = this.end_of(op);
    const width = end === Infinity ? 0 : end - begin;
    let span = to - from;
    if (width > span * 0.8) span = width * 1.6;
    if (begin < from + span * 0.05 || Math.max(begin, begin + width) > to - span * 0.05) {
      const middle = begin + width / 2;
      this.set_view(middle - span / 2, middle + span / 2);
    }
    this.reveal_rows([op]);
    this.draw();
  }

  x(at) {
    const { from, to } = this.view;
    return GUTTER + ((at - from) / (to - from)) * (this.width - GUTTER - 8);
  }

  axis_at(x) {
    const { from, to } = this.view;
    return from + ((x - GUTTER) / (this.width - GUTTER - 8)) * (to - from);
  }

  row_at(op) {
    return this.visible(op) ? this.row_of[this.history.lane_of[this.history.ops.process[op]]] : NONE;
  }

  row_y(row) {
    return this.top + this.rows[row].y - this.scroll;
  }

  // ---- drawing ----

  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const began = performance.now();
      this.paint();
      this.painted_ms = performance.now() - began;
    });
  }

  paint() {
    const { context: c, width, height } = this;
    if (!this.colours || !(width > 0)) return;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = '11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
    this.letter ??= c.measureText('0123456789').width / 10;
    c.textBaseline = 'middle';
    c.save();
    c.beginPath();
    c.rect(0, AXIS, width, this.bottom - AXIS);
    c.clip();
    this.paint_stripes();
    this.paint_bands();
    c.save();
    c.beginPath();
    c.rect(GUTTER, this.top, width - GUTTER, this.bottom - this.top);
    c.clip();
    this.paint_ops();
    this.paint_initial();
    this.paint_edges();
    c.restore();
    this.paint_names();
    c.restore();
    this.paint_axis();
    this.paint_overview();
  }

  paint_stripes() {
    const { context: c } = this;
    for (let row = 0; row < this.rows.length; row++) {
      const y = this.row_y(row);
      if (y > this.bottom || y + this.rows[row].high < this.top) continue;
      c.fillStyle = row % 2 === 0 ? this.colours.stripe : this.colours.page;
      c.fillRect(0, y, this.width, this.rows[row].high);
    }
  }

  paint_names() {
    const { context: c } = this;
    c.fillStyle = this.colours.page;
    c.fillRect(0, AXIS, GUTTER, this.bottom - AXIS);
    for (let row = 0; row < this.rows.length; row++) {
      const y = this.row_y(row);
      if (y > this.bottom || y + this.rows[row].high < this.top) continue;
      c.fillStyle = row % 2 === 0 ? this.colours.stripe : this.colours.page;
      c.fillRect(0, y, GUTTER - 1, this.rows[row].high);
      c.fillStyle = this.colours.text;
      c.fillText(shortened(this.rows[row].name, 12), 8, y + this.rows[row].high / 2);
    }
    c.fillStyle = this.colours.page;
    c.fillRect(0, AXIS, GUTTER, this.top - AXIS);
    c.fillStyle = this.colours.faint;
    if (this.history.bands.length > 0) c.fillText('faults', 8, AXIS + BAND / 2);
    c.fillStyle = this.colours.line;
    c.fillRect(GUTTER - 1, AXIS, 1, this.bottom - AXIS);
  }

  band_ends(band) {
    const timed = this.show.axis === 'time' && this.history.timed && band.ns >= 0;
    const from = timed ? band.ns : this.at(band.from);
    const to = band.mark ? from : timed ? band.to_ns : this.at(band.to);
    return [this.x(from), this.x(to)];
  }

  paint_bands() {
    const { context: c, colours } = this, seen = [];
    for (const band of this.history.bands) {
      const [x0, x1] = this.band_ends(band);
      if (x1 < GUTTER || x0 > this.width) continue;
      const left = Math.max(GUTTER, x0), right = Math.min(this.width, x1);
      c.fillStyle = colours.fault;
      c.globalAlpha = 0.13;
      if (!band.mark) c.fillRect(left, AXIS, Math.max(1, right - left), this.bottom - AXIS);
      for (const x of band.mark ? [x0] : [x0, x1]) {
        if (x < GUTTER || x > this.width) continue;
        c.globalAlpha = 0.35;
        c.fillRect(x, this.top, 1, this.bottom - this.top);
        c.globalAlpha = 1;
        c.fillRect(x - 0.5, AXIS, 2, this.top - AXIS);
      }
      c.globalAlpha = 1;
      seen.push({ band, left, right });
    }
    let free = GUTTER;
    for (const { band, left, right } of seen) {
      const at = Math.max(free, left + 4), room = (band.mark ? this.width : Math.max(right, left + 60)) - at;
      const letters = Math.min(60, Math.floor(room / this.letter));
      if (letters < Math.min(5, band.label.length) || at > left + 40) continue;
      const text = band.label.length <= letters ? band.label : `${band.label.slice(0, letters - 1)}…`;
      c.fillStyle = colours.page;
      c.globalAlpha = 0.85;
      c.fillRect(at - 1, AXIS + 1, text.length * this.letter + 2, BAND - 2);
      c.globalAlpha = 1;
      c.fillStyle = colours.text;
      c.fillText(text, at, AXIS + BAND / 2);
      free = at + text.length * this.letter + 8;
    }
  }

  colour(op) {
    const keys = op_keys(this.history, op);
    if (keys.length !== 1 || keys[0] === NONE) return this.history.keys.length === 0 ? this.keys[0] : this.colours.plain;
    return this.keys[this.history.colour_of.get(keys[0]) % COLOURS];
  }

  paint_ops() {
    const emphasis = this.show.evidence.size > 0 && !this.show.only;
    const above = [];
    for (let row = 0; row < this.rows.length; row++) {
      const y = this.row_y(row);
      if (y > this.bottom || y + this.rows[row].high < this.top) continue;
      const { ops, open } = this.rows[row];
      for (const op of open) {
        if (this.begin_of(op) >= this.view.from) break;
        this.paint_op(op, row, emphasis && !this.show.evidence.has(op));
      }
      let drawn_to = -1;
      for (let i = this.first_at(ops, this.view.from); i < ops.length; i++) {
        const op = ops[i], begin = this.begin_of(op);
        if (begin > this.view.to) break;
        if (this.show.evidence.has(op) || op === this.show.selected) {
          above.push([op, row, i + 1 < ops.length ? this.x(this.begin_of(ops[i + 1])) : this.width]);
          continue;
        }
        const end = this.end_of(op), x1 = this.x(end === Infinity ? begin : end);
        if (x1 < drawn_to + 1) continue;
        this.paint_op(op, row, emphasis, i + 1 < ops.length ? this.x(this.begin_of(ops[i + 1])) : this.width);
        drawn_to = x1;
      }
    }
    for (const op of this.show.evidence) {
      const row = this.row_at(op);
      if (row !== NONE && this.begin_of(op) < this.view.from && this.end_of(op) > this.view.from) above.push([op, row, this.width]);
    }
    for (const [op, row, next] of above) this.paint_op(op, row, false, next);
  }

  /** The first of a lane's operations that may end at `at` or later. */
  first_at(ops, at) {
    let low = 0, high = ops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.begin_of(ops[middle]) < at) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  bar(op) {
    const x0 = this.x(this.begin_of(op)), end = this.end_of(op);
    const x1 = end === Infinity ? Math.max(x0 + 120, x0) : this.x(end);
    return { x0, x1: Math.max(x0 + 2, x1), open: end === Infinity };
  }

  paint_op(op, row, dim, next = 0) {
    const { context: c, show } = this;
    const y = this.row_y(row), high = this.rows[row].high;
    const { x0, x1, open } = this.bar(op);
    if (x0 > this.width || (x1 < GUTTER && !open)) return;
    const evidence = show.evidence.has(op), selected = op === show.selected;
    const tall = bar_height(high), top = y + (high - tall) / 2;
    const wide = x1 - x0, outcome = this.history.ops.outcome[op], colour = this.colour(op);
    const alpha = dim ? 0.4 : 1;
    if (open) {
      this.paint_open(op, x0, x1, top, tall, colour, alpha);
    } else {
      if (evidence || selected) { // what lies behind does not shine through
        c.fillStyle = this.colours.page;
        c.fillRect(x0, top, wide, tall);
      }
      c.globalAlpha = alpha * (evidence ? 0.42 : wide < 6 ? 0.75 : 0.22);
      c.fillStyle = colour;
      c.fillRect(x0, top, wide, tall);
      c.globalAlpha = alpha;
      if (wide >= 6) {
        c.strokeStyle = colour;
        c.lineWidth = 1;
        if (outcome === FAILED) c.setLineDash([3, 2]);
        c.strokeRect(x0 + 0.5, top + 0.5, wide - 1, tall - 1);
        c.setLineDash([]);
        c.fillRect(x0, top, 3, tall);
      }
    }
    c.globalAlpha = 1;
    if (evidence || selected) {
      c.strokeStyle = evidence ? this.colours.bad : this.colours.text;
      c.lineWidth = selected ? 3 : 2;
      c.strokeRect(x0 - 1, top - 1, (open ? 40 : wide) + 2, tall + 2);
    }
    this.paint_point(op, top, tall, wide);
    this.paint_label(op, x0, x1, top + tall / 2 + 0.5, { dim, evidence: evidence || selected, open, next });
  }

  paint_open(op, x0, x1, top, tall, colour, alpha) {
    const { context: c } = this;
    const fade = c.createLinearGradient(x0, 0, x1, 0);
    fade.addColorStop(0, colour);
    fade.addColorStop(1, 'transparent');
    c.globalAlpha = alpha * 0.45;
    c.fillStyle = fade;
    c.fillRect(x0, top, x1 - x0, tall);
    c.globalAlpha = alpha;
    c.fillStyle = colour;
    c.fillRect(x0, top, 3, tall);
    c.globalAlpha = alpha * 0.5;
    c.strokeStyle = colour;
    c.lineWidth = 1;
    c.setLineDash([2, 5]);
    c.beginPath();
    c.moveTo(Math.max(GUTTER, x0), top + tall - 0.5);
    c.lineTo(this.width, top + tall - 0.5);
    c.stroke();
    c.setLineDash([]);
  }

  paint_label(op, x0, x1, y, { dim, evidence, open, next }) {
    const { context: c } = this;
    const left = Math.max(x0, GUTTER) + 6;
    const number = this.show.numbers.get(op);
    const label = (room) => (number === undefined ? '' : `${number}: `) + op_label(this.history, op, Math.max(8, Math.min(60, room)));
    const room_to = (x) => Math.floor((Math.min(x, this.width) - left - 3) / this.letter);
    let room = room_to(open ? Math.max(x0, next - 4) : x1), outside = false;
    if (room >= 4 && label(60).length > room) room = Math.max(room, room_to(next - 4)); // the lane behind it is empty
    if (room < 4 && evidence) {
      room = Math.floor(((this.show.only ? Math.max(next, x1) : this.width) - Math.max(x1, GUTTER) - 8) / this.letter);
      outside = true;
    }
    if (room < 2) return;
    const whole = label(room);
    const text = whole.length <= room ? whole : room < 4 ? '' : `${whole.slice(0, room - 1)}…`;
    if (text === '') return;
    const at = outside ? Math.max(x1, GUTTER) + 4 : left;
    if (outside) {
      c.globalAlpha = 0.85;
      c.fillStyle = this.colours.page;
      c.fillRect(at - 1, y - 7, text.length * this.letter + 2, 14);
    }
    c.globalAlpha = dim ? 0.5 : 1;
    c.fillStyle = this.colours.text;
    c.fillText(text, at, y);
    c.globalAlpha = 1;
  }

  paint_point(op, top, tall, wide) {
    const point = this.show.points.get(op);
    if (point === undefined) return;
    const { context: c } = this, x = this.x(this.at(point));
    c.fillStyle = this.colours.text;
    if (wide < 12) {
      if (wide > 3) c.fillRect(x - 0.5, top - 1, 1, 4);
      return;
    }
    c.fillRect(x - 0.5, top + tall - 3, 1, 5);
    c.beginPath();
    c.moveTo(x - 3.5, top - 3);
    c.lineTo(x + 3.5, top - 3);
    c.lineTo(x, top + 3);
    c.fill();
  }

  // ---- the steps of a cycle ----

  /** Where an arrow leaves or reaches an operation; null: it is not shown. */
  anchor(op, other, reason, leaving) {
    if (op === NONE) {
      if (!this.rows[0]?.initial) return null;
      return { x: GUTTER + 44, y: this.row_y(0) + this.rows[0].high / 2, half: 9 };
    }
    const row = this.row_at(op);
    if (row === NONE) return null;
    const { x0, x1, open } = this.bar(op);
    let x = (x0 + (open ? x0 + 40 : x1)) / 2;
    if (reason === 'REAL_TIME' || reason === 'SESSION') x = leaving ? (open ? x0 : x1) : x0;
    return { x, y: this.row_y(row) + this.rows[row].high / 2, half: bar_height(this.rows[row].high) / 2 + 2 };
  }

  paint_edges() {
    const { context: c, show } = this;
    const badges = [], uses = new Map(), paths = [];
    show.edges.forEach(([from, to, , , reason], i) => {
      const a = this.anchor(from, to, reason, true), b = this.anchor(to, from, reason, false);
      if (!a || !b) return;
      for (const [end, op] of [[a, from], [b, to]]) { // arrows at one place keep apart
        const use = `${op} ${Math.round(end.x)}`, n = uses.get(use) ?? 0;
        uses.set(use, n + 1);
        if (reason !== 'REAL_TIME' && reason !== 'SESSION') end.x += (n % 2 ? -1 : 1) * Math.ceil(n / 2) * 9;
      }
      paths.push({ ...this.path(a, b), i });
    });
    for (const path of paths) this.paint_curve(path, true);
    for (const path of paths) {
      this.paint_curve(path, false);
      const { x, y } = this.badge_place(path.points, badges);
      badges.push({ x, y: Math.min(Math.max(y, this.top + 10), this.bottom - 10), i: path.i }); // a whole circle
    }
    for (const { x, y, i } of badges) {
      const chosen = show.edge === i;
      c.beginPath();
      c.arc(x, y, 8, 0, 2 * Math.PI);
      c.fillStyle = chosen ? this.colours.bad : this.colours.page;
      c.fill();
      c.strokeStyle = this.colours.bad;
      c.lineWidth = 1.5;
      c.stroke();
      c.fillStyle = chosen ? this.colours.page : this.colours.text;
      c.textAlign = 'center';
      c.fillText(String(i + 1), x, y + 0.5);
      c.textAlign = 'start';
    }
    this.badges = badges;
  }

  /** From one bar's edge to another's; within a lane in a bow above it. */
  path(a, b) {
    const same = Math.abs(a.y - b.y) < 1, down = b.y > a.y ? 1 : -1;
    const p0 = { x: a.x, y: a.y + (same ? -a.half : down * a.half) }, p3 = { x: b.x, y: b.y - (same ? b.half : down * b.half) };
    const lift = Math.min(30, 12 + Math.abs(b.x - a.x) * 0.05), reach = same ? -lift : down * Math.max(14, Math.abs(p3.y - p0.y) * 0.45);
    const aside = same ? (p3.x - p0.x) * 0.2 : 0;
    return { points: [p0, { x: p0.x + aside, y: p0.y + reach }, { x: p3.x - aside, y: p3.y + (same ? -lift : -reach) }, p3] };
  }

  paint_curve({ points: [p0, p1, p2, p3], i }, halo) {
    const { context: c } = this;
    const chosen = this.show.edge === i;
    c.strokeStyle = halo ? this.colours.page : this.colours.bad;
    c.lineWidth = (chosen ? 3 : 1.8) + (halo ? 3 : 0);
    c.globalAlpha = halo ? 0.8 : this.show.edge === NONE || chosen ? 1 : 0.4;
    c.beginPath();
    c.moveTo(p0.x, p0.y);
    c.bezierCurveTo(p1.x, p1.y, p2.x, p2.y, p3.x, p3.y);
    c.stroke();
    if (!halo) {
      const length = Math.hypot(p3.x - p2.x, p3.y - p2.y) || 1, ux = (p3.x - p2.x) / length, uy = (p3.y - p2.y) / length;
      c.fillStyle = this.colours.bad;
      c.beginPath();
      c.moveTo(p3.x, p3.y);
      c.lineTo(p3.x - 10 * ux + 5 * uy, p3.y - 10 * uy - 5 * ux);
      c.lineTo(p3.x - 10 * ux - 5 * uy, p3.y - 10 * uy + 5 * ux);
      c.fill();
    }
    c.globalAlpha = 1;
  }

  paint_initial() {
    if (!this.rows[0]?.initial) return;
    const { context: c } = this, text = 'initial state', x = GUTTER + 8, y = this.row_y(0) + this.rows[0].high / 2;
    c.fillStyle = this.colours.page;
    c.strokeStyle = this.colours.bad;
    c.lineWidth = 1.5;
    c.beginPath();
    c.roundRect(x - 4, y - 9, text.length * this.letter + 8, 18, 9);
    c.fill();
    c.stroke();
    c.fillStyle = this.colours.text;
    c.fillText(text, x, y + 0.5);
  }

  /** On the curve, where no other number stands. */
  badge_place([p0, p1, p2, p3], badges) {
    let first = null;
    for (const t of [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8]) {
      const s = 1 - t, of = (k) => s * s * s * p0[k] + 3 * s * s * t * p1[k] + 3 * s * t * t * p2[k] + t * t * t * p3[k];
      const place = { x: of('x'), y: of('y') };
      first ??= place;
      const inside = place.x > GUTTER + 8 && place.x < this.width - 8;
      if (inside && badges.every(({ x, y }) => Math.hypot(x - place.x, y - place.y) > 18)) return place;
    }
    return first;
  }

  // ---- the axis and the overview ----

  paint_axis() {
    const { context: c, colours, view } = this;
    c.fillStyle = colours.page;
    c.fillRect(0, 0, this.width, AXIS);
    c.fillStyle = colours.faint;
    const timed = this.show.axis === 'time' && this.history.timed;
    c.fillText(timed ? 'time' : this.history.real_time ? 'event' : 'in session', 8, AXIS / 2);
    let free = GUTTER;
    const tick = (x, text) => {
      const from = Math.max(GUTTER, x - (text.length * this.letter) / 2);
      if (from < free || from + text.length * this.letter > this.width) return;
      c.fillStyle = colours.faint;
      c.fillText(text, from, AXIS / 2 - 1);
      c.fillStyle = colours.line;
      c.fillRect(x, AXIS - 5, 1, 5);
      free = from + text.length * this.letter + 10;
    };
    if (this.knots !== null && !timed) {
      this.knots.at.forEach((position, i) => tick(this.x(this.knots.to[i]), Math.floor(position).toLocaleString('en')));
    } else {
      const step = nice((view.to - view.from) / ((this.width - GUTTER) / 110), !timed);
      for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step)
        if (at >= 0) tick(this.x(at), timed && at !== 0 ? time_text(at, step) : (Math.round(at) + 0).toLocaleString('en'));
    }
    c.fillStyle = colours.line;
    c.fillRect(0, AXIS - 1, this.width, 1);
  }

  overview_x(at) {
    return GUTTER + ((at - this.first) / (this.last - this.first)) * (this.width - GUTTER - 8);
  }

  count_overview() {
    const counts = new Float32Array(Math.max(1, Math.ceil(this.width - GUTTER - 8) + 1));
    for (const row of this.rows)
      for (const op of row.ops) counts[Math.min(counts.length - 1, Math.max(0, Math.round(this.overview_x(this.begin_of(op)) - GUTTER)))]++;
    this.overview = { counts, most: Math.max(...counts) };
  }

  paint_overview() {
    const { context: c, colours } = this;
    const top = this.bottom + 4, tall = OVERVIEW - 6;
    if (this.overview === null) this.count_overview();
    c.fillStyle = colours.page;
    c.fillRect(0, this.bottom, this.width, OVERVIEW);
    c.fillStyle = colours.stripe;
    c.fillRect(GUTTER, top, this.width - GUTTER - 8, tall);
    c.fillStyle = colours.faint;
    c.fillText(`${this.shown.toLocaleString('en')} ops`, 8, top + tall / 2);
    const { counts, most } = this.overview;
    for (let i = 0; i < counts.length; i++)
      if (counts[i] > 0) {
        const high = Math.max(2, (counts[i] / most) * tall);
        c.fillRect(GUTTER + i, top + tall - high, 1, high);
      }
    c.fillStyle = colours.bad;
    for (const op of this.show.evidence) if (this.row_at(op) !== NONE) c.fillRect(this.overview_x(this.begin_of(op)) - 1, top, 2.5, tall);
    const x0 = this.overview_x(this.view.from), x1 = this.overview_x(this.view.to);
    c.strokeStyle = colours.text;
    c.lineWidth = 1.5;
    c.strokeRect(x0 + 0.5, top - 0.5, Math.max(4, x1 - x0 - 1), tall + 1);
  }

  // ---- pointer and keyboard ----

  op_under(x, y) {
    if (x < GUTTER || y < this.top || y > this.bottom) return NONE;
    const row = this.rows.find((each) => y - this.top + this.scroll < each.y + each.high);
    if (!row) return NONE;
    const at = this.axis_at(x), near = this.axis_at(x + 3) - at;
    let found = NONE;
    for (let i = Math.max(0, this.first_at(row.ops, at - near)); i < row.ops.length; i++) {
      const op = row.ops[i];
      if (this.begin_of(op) > at + near) break;
      if (Math.max(this.end_of(op), this.begin_of(op)) >= at - near && (found === NONE || this.end_of(op) !== Infinity)) found = op;
    }
    return found;
  }

  edge_under(x, y) {
    const badge = (this.badges ?? []).find((each) => Math.hypot(each.x - x, each.y - y) < 10);
    return badge ? badge.i : NONE;
  }

  band_under(x, y) {
    if (y < AXIS || y > this.top || x < GUTTER) return null;
    return this.history.bands.find((band) => {
      const [x0, x1] = this.band_ends(band);
      return x >= x0 - 4 && x <= x1 + 4;
    }) ?? null;
  }

  listen() {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let drag = null;
    canvas.addEventListener('pointerdown', (event) => {
      const [x, y] = place(event);
      drag = { x, y, from: this.view.from, scroll: this.scroll, moved: false, overview: y > this.bottom };
      canvas.setPointerCapture(event.pointerId);
      if (drag.overview) this.overview_to(x);
    });
    canvas.addEventListener('pointermove', (event) => {
      const [x, y] = place(event);
      if (!drag) {
        this.on.hover(this.op_under(x, y), this.band_under(x, y), x, y);
        return;
      }
      if (drag.overview) {
        this.overview_to(x);
        return;
      }
      drag.moved ||= Math.hypot(x - drag.x, y - drag.y) > 4;
      if (!drag.moved) return;
      this.on.hover(NONE, null, x, y);
      const span = this.view.to - this.view.from, from = drag.from - ((x - drag.x) / (this.width - GUTTER - 8)) * span;
      this.set_view(from, from + span);
      this.scroll_to(drag.scroll - (y - drag.y));
    });
    const up = (event) => {
      const [x, y] = place(event);
      if (drag && !drag.moved && !drag.overview && event.type === 'pointerup') {
        const edge = this.edge_under(x, y);
        if (edge !== NONE) this.on.edge(edge);
        else this.on.select(this.op_under(x, y));
      }
      drag = null;
    };
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
    canvas.addEventListener('pointerleave', () => this.on.hover(NONE, null, 0, 0));
    canvas.addEventListener('dblclick', (event) => this.zoom(0.4, place(event)[0]));
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const [x] = place(event), unit = event.deltaMode === 1 ? 16 : 1;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(((event.deltaX || event.deltaY) * unit) / (this.width - GUTTER));
      else if (event.altKey) this.scroll_to(this.scroll + event.deltaY * unit);
      else this.zoom(Math.exp(Math.max(-300, Math.min(300, event.deltaY * unit)) * 0.0018), x);
    }, { passive: false });
    canvas.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const act = {
        ArrowLeft: () => this.pan(-0.2), ArrowRight: () => this.pan(0.2),
        ArrowUp: () => this.scroll_to(this.scroll - this.row_height), ArrowDown: () => this.scroll_to(this.scroll + this.row_height),
        PageUp: () => this.pan(-0.9), PageDown: () => this.pan(0.9), Home: () => this.set_view(this.first, this.first + this.view.to - this.view.from),
        End: () => this.set_view(this.last - this.view.to + this.view.from, this.last),
        '+': () => this.zoom(0.6), '=': () => this.zoom(0.6), '-': () => this.zoom(1 / 0.6), 0: () => this.all(),
        n: () => this.step(1), p: () => this.step(-1), c: () => this.on.evidence(), Escape: () => this.on.select(NONE),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  overview_to(x) {
    const at = this.first + ((x - GUTTER) / (this.width - GUTTER - 8)) * (this.last - this.first), half = (this.view.to - this.view.from) / 2;
    this.set_view(at - half, at + half);
  }

  /** The next operation by call, or the one before. */
  step(by) {
    const order = this.in_order();
    if (order.length === 0) return;
    const at = order.indexOf(this.show.selected);
    this.on.select(at < 0 ? order[0] : order[Math.min(order.length - 1, Math.max(0, at + by))]);
  }
}

const bar_height = (high) => Math.min(high - 2 * BAR_GAP, 26);

/** A round number not below `least`. */
function nice(least, whole) {
  const power = 10 ** Math.floor(Math.log10(least)), step = [1, 2, 5, 10].find((each) => each * power >= least) * power;
  return whole ? Math.max(1, step) : step;
}
