// SPDX-License-Identifier: Apache-2.0
// The map of items: drag or arrow keys move, wheel, pinch or + and - zoom, a click or Enter opens an item.
import { $, ask, h, latest, link, place, svg } from './dom.js';
import { describeItem } from './item.js';

const canvas = $('canvas');
const GROUPS = 8, REACH = 14; // pixels from a point that still hit it
let map = null;               // the server's answer
let view = null;              // {x, y: what is in the middle, scale: pixels of a unit}
let chosen = -1, hovered = -1, waiting = false;

// ---- coordinates ----
const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
const toScreen = (i) => {
  const { width, height } = size();
  return [width / 2 + (map.x[i] - view.x) * view.scale, height / 2 - (map.y[i] - view.y) * view.scale];
};

function seeAll() {
  const { width, height } = size();
  const bounds = (v) => v.reduce(([low, high], a) => [Math.min(low, a), Math.max(high, a)], [Infinity, -Infinity]);
  const [left, right] = bounds(map.x), [bottom, top] = bounds(map.y);
  view = { x: (left + right) / 2, y: (bottom + top) / 2,
    scale: 0.92 * Math.min(width / (right - left || 1), height / (top - bottom || 1)) };
}

function zoom(factor, atX = size().width / 2, atY = size().height / 2) {
  const { width, height } = size(), dx = atX - width / 2, dy = height / 2 - atY;
  const scale = view.scale * factor;
  view = { x: view.x + dx / view.scale - dx / scale, y: view.y + dy / view.scale - dy / scale, scale };
  draw();
}

function move(dx, dy) {
  view = { ...view, x: view.x - dx / view.scale, y: view.y + dy / view.scale };
  draw();
}

function nearest(x, y, reach) {
  let best = -1, least = reach * reach;
  for (let i = 0; i < map.item.length; i++) {
    const [a, b] = toScreen(i), d = (a - x) ** 2 + (b - y) ** 2;
    if (d < least) [best, least] = [i, d];
  }
  return best;
}

// ---- drawing ----
const colours = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { groups: [...Array(GROUPS).keys()].map((g) => of(`--g${g}`)), other: of('--other'), ink: of('--ink') };
};

function draw() {
  if (waiting || !map) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    paint();
  });
}

function ring(c, i, colour) {
  const [x, y] = toScreen(i);
  c.strokeStyle = colour;
  c.lineWidth = 2;
  c.beginPath();
  c.arc(x, y, 9, 0, 7);
  c.stroke();
}

function paint() {
  const { width, height } = size(), ratio = devicePixelRatio || 1;
  if (!width || !view) return;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const c = canvas.getContext('2d'), colour = colours();
  c.scale(ratio, ratio);
  c.globalAlpha = 0.8;
  for (let i = 0; i < map.item.length; i++) {
    const [x, y] = toScreen(i);
    if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
    c.fillStyle = map.group[i] < 0 ? colour.other : colour.groups[map.group[i]];
    c.beginPath();
    c.arc(x, y, 2 + Math.min(5, Math.log2(1 + map.popularity[i]) / 2), 0, 7);
    c.fill();
  }
  c.globalAlpha = 1;
  if (hovered >= 0) ring(c, hovered, colour.ink);
  if (chosen >= 0) ring(c, chosen, colour.ink);
  if (document.activeElement === canvas) { // what Enter opens
    c.strokeStyle = colour.ink;
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(width / 2 - 8, height / 2);
    c.lineTo(width / 2 + 8, height / 2);
    c.moveTo(width / 2, height / 2 - 8);
    c.lineTo(width / 2, height / 2 + 8);
    c.stroke();
  }
}

// ---- choosing ----
const label = (i) => { $('map-label').textContent = i < 0 ? '' : map.name[i] || map.item[i]; };
const hover = (i) => {
  if (i === hovered) return;
  hovered = i;
  label(i);
  draw();
};
const open = (i) => { if (i >= 0) location.hash = link('map', { item: map.item[i] }); };

const showChosen = latest(async (current, id) => {
  chosen = id ? map.item.indexOf(id) : -1;
  if (chosen >= 0) label(chosen);
  draw();
  const parts = id ? await describeItem(id) : [h('p', { class: 'empty' }, 'Click an item to see it here.')];
  if (!current()) return;
  if (id && chosen < 0) parts.unshift(h('p', { class: 'empty' }, 'This item is not on the map.'));
  $('map-item').replaceChildren(...parts);
});

// ---- what hands do ----
const pointers = new Map();
let travelled = 0;
const offset = (event) => [event.offsetX, event.offsetY];
const spread = () => {
  const [a, b] = [...pointers.values()];
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
};

canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, offset(event));
  travelled = pointers.size > 1 ? Infinity : 0; // two fingers choose nothing
});
canvas.addEventListener('pointermove', (event) => {
  if (!map) return;
  const before = pointers.get(event.pointerId), now = offset(event);
  if (!before) {
    hover(nearest(...now, REACH));
    return;
  }
  const apart = pointers.size === 2 ? spread() : 0;
  pointers.set(event.pointerId, now);
  travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
  if (pointers.size === 1) move(now[0] - before[0], now[1] - before[1]);
  else if (apart > 0) zoom(spread() / apart);
});
for (const name of ['pointerup', 'pointercancel']) {
  canvas.addEventListener(name, (event) => {
    if (name === 'pointerup' && map && pointers.size === 1 && travelled < 6) open(nearest(...offset(event), REACH));
    pointers.delete(event.pointerId);
  });
}
canvas.addEventListener('wheel', (event) => {
  if (!map) return;
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), ...offset(event));
}, { passive: false });

const keys = {
  ArrowLeft: () => move(40, 0), ArrowRight: () => move(-40, 0), ArrowUp: () => move(0, 40), ArrowDown: () => move(0, -40),
  '+': () => zoom(1.3), '=': () => zoom(1.3), '-': () => zoom(1 / 1.3),
  Enter: () => open(nearest(size().width / 2, size().height / 2, Infinity)),
};
canvas.addEventListener('keydown', (event) => {
  if (!map || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
  if (event.key !== 'Enter') hover(nearest(size().width / 2, size().height / 2, Infinity));
});
for (const name of ['focus', 'blur']) canvas.addEventListener(name, draw);
$('zoom-in').addEventListener('click', () => map && zoom(1.5));
$('zoom-out').addEventListener('click', () => map && zoom(1 / 1.5));
$('zoom-all').addEventListener('click', () => { if (map) { seeAll(); draw(); } });
new ResizeObserver(draw).observe(canvas);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

// ---- the view ----
function legend() {
  const dot = (g) => svg('svg', { viewBox: '0 0 10 10', 'aria-hidden': 'true' }, svg('circle', { class: `c${g}`, cx: 5, cy: 5, r: 5 }));
  const entries = map.groups.map((name, g) => h('li', {}, dot(g), name));
  if (map.group.includes(-1)) entries.push(h('li', {}, dot(GROUPS), map.groups.length ? 'others' : 'items'));
  $('legend').replaceChildren(...entries);
}

const load = latest(async (current) => {
  const answer = await ask('/v1/map');
  if (!current()) return;
  map = answer;
  $('map-kind').textContent = `${map.item.length} of ${map.items} items. ${map.of} Larger points are chosen more often.`;
  legend();
  seeAll();
  showChosen(place().parameters.get('item'));
});

export function showMap(parameters) {
  if (map) showChosen(parameters.get('item'));
  else load();
}
