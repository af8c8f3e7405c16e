// SPDX-License-Identifier: Apache-2.0
// The view of the run: what it is, how it learned, what it measured.
import { $, ask, h, latest, number, svg } from './dom.js';

const WIDTH = 640, HEIGHT = 300, LEFT = 52, RIGHT = 52, TOP = 16, BOTTOM = 40;
const METRIC = 'NDCG@10';

export const showRunName = latest(async (current) => {
  const run = await ask('/v1/run');
  if (current()) $('run-name').textContent = `${run.run}: ${run.method}${run.backbone ? ', ' + run.backbone : ''}`;
});

function table(caption, head, rows) {
  return h('div', { class: 'wide' }, h('table', {}, h('caption', {}, caption),
    h('thead', {}, h('tr', {}, head.map((t) => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, rows.map(([first, ...others]) =>
      h('tr', {}, h('th', { scope: 'row' }, first), others.map((t) => h('td', {}, t)))))));
}

const validation = (line) => {
  const [protocol] = Object.keys(line.valid || {});
  return protocol ? line.valid[protocol][METRIC] : undefined;
};

// Two scales: the loss on the left, the measure on the right.
function curve(lines, best) {
  const last = lines[lines.length - 1].epoch;
  const x = (epoch) => LEFT + (WIDTH - LEFT - RIGHT) * (last > 1 ? (epoch - 1) / (last - 1) : 0.5);
  const scale = (values) => {
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    return { low, high, y: (v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (v - low) / span) };
  };
  const losses = scale(lines.map((l) => l.loss)), quality = scale(lines.map(validation));
  const path = (value, s) => lines.map((l, i) => `${i ? 'L' : 'M'}${x(l.epoch).toFixed(1)} ${s.y(value(l)).toFixed(1)}`).join('');
  const text = (at, y, anchor, t) => svg('text', { class: 'mark', x: at, y, 'text-anchor': anchor }, t);
  const bestLine = lines.find((l) => l.epoch === best);
  return h('figure', {},
    svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img',
      'aria-label': `Training: loss from ${number(lines[0].loss)} to ${number(lines[lines.length - 1].loss)}, ` +
        `validation ${METRIC} up to ${number(quality.high)} in epoch ${best}` },
      svg('line', { class: 'axis', x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }),
      svg('line', { class: 'axis', x1: LEFT, x2: LEFT, y1: TOP, y2: HEIGHT - BOTTOM }),
      svg('line', { class: 'axis', x1: WIDTH - RIGHT, x2: WIDTH - RIGHT, y1: TOP, y2: HEIGHT - BOTTOM }),
      svg('path', { class: 'loss', d: path((l) => l.loss, losses) }),
      svg('path', { class: 'quality', d: path(validation, quality) }),
      bestLine ? svg('circle', { class: 'best', cx: x(best), cy: quality.y(validation(bestLine)), r: 5 }) : null,
      text(LEFT - 6, TOP + 4, 'end', number(losses.high, 3)), text(LEFT - 6, HEIGHT - BOTTOM, 'end', number(losses.low, 3)),
      text(WIDTH - RIGHT + 6, TOP + 4, 'start', number(quality.high, 3)),
      text(WIDTH - RIGHT + 6, HEIGHT - BOTTOM, 'start', number(quality.low, 3)),
      text(LEFT, HEIGHT - 16, 'middle', 'epoch 1'), text(WIDTH - RIGHT, HEIGHT - 16, 'middle', String(last))),
    h('figcaption', {}, svg('svg', { viewBox: '0 0 10 10', width: 10, height: 10 }, svg('circle', { class: 'c1', cx: 5, cy: 5, r: 5 })),
      ' loss (left)  ', svg('svg', { viewBox: '0 0 10 10', width: 10, height: 10 }, svg('circle', { class: 'c0', cx: 5, cy: 5, r: 5 })),
      ` validation ${METRIC} (right); the point is the epoch that was kept, ${best}`));
}

function measures(result) {
  const columns = ['HR@5', 'NDCG@5', 'HR@10', 'NDCG@10', 'HR@20', 'NDCG@20', 'MRR'];
  const rows = ['valid', 'test'].flatMap((part) => Object.entries(result[part] || {}).map(([protocol, m]) =>
    [`${part}, ${protocol}`, ...columns.map((c) => (m[c] === undefined ? '' : number(m[c])))]));
  return rows.length ? table('Measured', ['', ...columns], rows) : null;
}

export const showRun = latest(async (current) => {
  const run = await ask('/v1/run');
  if (!current()) return;
  const lines = run.epochs.filter((l) => validation(l) !== undefined);
  $('curve').replaceChildren(h('h2', {}, 'Training'), lines.length > 0 ? curve(lines, run.result.best_epoch)
    : h('p', { class: 'empty' }, 'This method does not learn in epochs.'));
  $('tables').replaceChildren(...[measures(run.result),
    table('Data', ['', ''], Object.entries(run.data).map(([name, n]) => [name, String(n)])),
    table('Options', ['', ''], Object.entries(run.config).map(([name, value]) => [name, String(value)]))].filter(Boolean));
});
