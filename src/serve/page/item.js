// SPDX-License-Identifier: Apache-2.0
// All that is known of one item.
import { addToTrial, ask, fill, h, link, number, row, say, title } from './dom.js';

export const chosen = (i) => (i.popularity === 1 ? 'chosen once' : `chosen ${i.popularity} times`) +
  (i.cold ? ', never seen in training' : '');

const attributeRows = (attributes) => Object.entries(attributes || {}).flatMap(([name, value]) =>
  [h('dt', {}, name), h('dd', {}, String(value))]);

// Two clicks: the first asks whether it is meant.
function removal(item) {
  let sure = false;
  const button = h('button', { type: 'button', class: 'remove', onclick: async () => {
    if (!sure) {
      sure = true;
      button.textContent = 'Really take it away?';
      return;
    }
    button.disabled = true;
    try {
      await ask('/v1/items/' + encodeURIComponent(item.item), {}, undefined, 'DELETE');
      window.addEventListener('hashchange', () => say(`“${title(item)}” was taken away.`), { once: true });
      location.hash = link('items', { q: '' });
    } catch (error) {
      button.disabled = false;
      say(error.message);
    }
  } }, 'Take this added item away');
  return button;
}

export async function describeItem(id) {
  const [item, similar] = await Promise.all([
    ask('/v1/item', { item: id }),
    ask('/v1/similar', { item: id, k: 10 }).catch((error) => ({ items: [], refusal: error.message })),
  ]);
  const neighbours = h('ol');
  fill(neighbours, similar.items.map((i) => row(i, h('p', { class: 'why' }, `${similar.measure} ${number(i.score, 3)}`))),
    similar.refusal || 'No other item.');
  return [
    h('h2', {}, title(item)), h('p', { class: 'id' }, item.item),
    item.archetype ? h('p', { class: 'archetype' }, item.archetype) : null,
    h('p', {}, h('button', { type: 'button', onclick: () => addToTrial(item) }, '+ into the history'), ' ',
      h('a', { href: link('map', { item: item.item }) }, 'on the map')),
    item.added ? h('p', {}, removal(item)) : null,
    h('dl', {}, h('dt', {}, 'popularity'), h('dd', {}, chosen(item)), attributeRows(item.attributes)),
    h('h3', {}, 'Nearest items'), neighbours,
  ].filter(Boolean);
}
