// The levels of consistency as a drawing: stronger above weaker, an edge where no level lies between.

const SIGNS = { yes: '✓', no: '✗', undecided: '?' };
const SVG = 'http://www.w3.org/2000/svg';

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** How many levels stand above each, along the longest way. */
function depths(levels) {
  const above = new Map(levels.map(({ name }) => [name, 0]));
  for (let changed = true; changed;) {
    changed = false;
    for (const { name, weaker } of levels)
      for (const each of weaker)
        if (above.get(each) < above.get(name) + 1) {
          above.set(each, above.get(name) + 1);
          changed = true;
        }
  }
  return above;
}

function place_levels(levels) {
  const depth = depths(levels), rows = [];
  for (const level of levels) (rows[depth.get(level.name)] ??= []).push(level);
  const widest = Math.max(...rows.map((row) => row.length)), places = new Map();
  const wide = 30 + 7.2 * Math.max(...levels.map(({ name }) => name.length)), high = 26, step = 56, width = Math.max(1, widest) * (wide + 14);
  rows.forEach((row, y) => {
    if (y > 0) { // below those that imply them, so that lines cross less
      const centre = ({ name }) => {
        const above = levels.filter(({ weaker }) => weaker.includes(name)).map((each) => places.get(each.name).x);
        return above.reduce((sum, x) => sum + x, 0) / Math.max(1, above.length);
      };
      row.sort((a, b) => centre(a) - centre(b));
    }
    row.forEach((level, i) => places.set(level.name, { x: ((i + 0.5) * width) / row.length, y: 18 + y * step }));
  });
  return { places, width, height: 18 + (rows.length - 1) * step + 24, wide, high };
}

function lattice(history) {
  const { places, width, height, wide, high } = place_levels(history.levels);
  const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': history.levels.map(({ name, answer }) => `${name}: ${answer}`).join(', ') });
  for (const { name, weaker } of history.levels)
    for (const each of weaker) {
      const a = places.get(name), b = places.get(each), y0 = a.y + high / 2, y1 = b.y - high / 2;
      picture.append(svg('path', { class: 'implies', d: `M${a.x} ${y0} C${a.x} ${(y0 + y1) / 2} ${b.x} ${(y0 + y1) / 2} ${b.x} ${y1}` }));
    }
  for (const level of history.levels) {
    const { x, y } = places.get(level.name);
    const asked = level.name === history.level;
    const box = svg('g', { class: `level ${level.answer}${asked ? ' asked' : ''}`, 'data-level': level.name });
    const title = svg('title', {});
    title.textContent = `${level.name}: ${level.answer}. ${level.line}.${level.text ? `\n${shortened(visible(level.text), 400)}` : ''}`;
    const text = svg('text', { x, y: y + 4, 'text-anchor': 'middle' });
    text.textContent = `${SIGNS[level.answer] ?? ''} ${level.name}`;
    box.append(title, svg('rect', { x: x - wide / 2, y: y - high / 2, width: wide, height: high, rx: 5 }), text);
    picture.append(box);
  }
  return picture;
}
