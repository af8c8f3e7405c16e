// SPDX-License-Identifier: Apache-2.0
// Which items may be recommended: a form in the views that recommend, its content in the address (where, allow, deny, repeat).
import { $, ask, h, link, place } from './dom.js';

const lines = (text) => text.split('\n').map((line) => line.trim()).filter(Boolean);

// What a question to /v1/recommend needs of it; empty when nothing is asked for.
export function filtersOf(parameters) {
  const filters = {};
  for (const pair of parameters.getAll('where')) {
    const at = pair.indexOf(':');
    filters.where = { ...filters.where, [pair.slice(0, Math.max(at, 0))]: pair.slice(at + 1) };
  }
  for (const key of ['allow', 'deny']) if (parameters.has(key)) filters[key] = parameters.getAll(key);
  if (parameters.get('repeat') === '1') filters.repeat = true;
  return filters;
}

export const filterPairs = (parameters) =>
  [...parameters].filter(([key]) => ['where', 'allow', 'deny', 'repeat'].includes(key));

// The names that attributes have, from an item that is often chosen.
async function offerAttributes(list) {
  if (list.hasChildNodes()) return;
  const { items } = await ask('/v1/items', { k: 1 });
  if (!items.length) return;
  const { attributes } = await ask('/v1/item', { item: items[0].item });
  list.replaceChildren(...Object.keys(attributes).map((name) => h('option', { value: name })));
}

const CONDITIONS = 2;

// Puts the form into a <details>; the view is told by the address when it is sent. keep: what else the address holds.
export function filterForm(details, view, keep) {
  const id = (name) => `${view}-${name}`;
  const names = h('datalist', { id: id('attributes') });
  const conditions = Array.from({ length: CONDITIONS }, (_, i) => [
    h('input', { id: id(`attribute-${i}`), list: id('attributes'), 'aria-label': `Attribute ${i + 1}`, placeholder: 'attribute', maxlength: 256 }),
    h('input', { id: id(`value-${i}`), 'aria-label': `Value of attribute ${i + 1}`, placeholder: 'value', maxlength: 256 })]);
  const area = (name, label) => [h('label', { for: id(name) }, label), h('textarea', { id: id(name), rows: 2, spellcheck: 'false' })];
  const repeat = h('input', { type: 'checkbox', id: id('repeat') });
  const go = (pairs) => { location.hash = link(view, [...keep(), ...pairs]); };
  const form = h('form', { onsubmit: (event) => {
    event.preventDefault();
    const pairs = conditions.filter(([name, value]) => name.value.trim() && value.value.trim())
      .map(([name, value]) => ['where', `${name.value.trim()}:${value.value.trim()}`]);
    for (const key of ['allow', 'deny']) pairs.push(...lines($(id(key)).value).map((item) => [key, item]));
    if (repeat.checked) pairs.push(['repeat', '1']);
    go(pairs);
  } }, names, h('fieldset', {}, h('legend', {}, 'Only items with all of'), conditions.map((pair) => h('p', {}, pair))),
    area('allow', 'Only these items, an id a line'), area('deny', 'Never these items, an id a line'),
    h('p', {}, repeat, h('label', { for: id('repeat') }, ' items of the history too')),
    h('p', {}, h('button', {}, 'Apply'), ' ', h('button', { type: 'button', onclick: () => go([]) }, 'Take away')));
  details.replaceChildren(h('summary', {}, 'Which items'), form);
  details.addEventListener('toggle', () => { if (details.open) offerAttributes(names).catch(() => {}); });

  // Shows what the address says.
  return (parameters) => {
    const filters = filtersOf(parameters), wanted = Object.entries(filters.where || {});
    conditions.forEach(([name, value], i) => { [name.value, value.value] = wanted[i] || ['', '']; });
    for (const key of ['allow', 'deny']) $(id(key)).value = (filters[key] || []).join('\n');
    repeat.checked = filters.repeat === true;
    const n = Object.keys(filters).length;
    details.firstChild.textContent = n ? `Which items (${n} set)` : 'Which items';
    if (n && place().view === view) details.open = true;
    return filters;
  };
}
