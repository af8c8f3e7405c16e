// SPDX-License-Identifier: Apache-2.0
// What all views share: elements, questions to the server, the list of the history that is tried.

// Elements from text: nothing the server says ever becomes markup.
const make = (e, attributes, children) => {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else e.setAttribute(key, value === true ? '' : value);
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return e;
};
export const h = (tag, attributes = {}, ...children) => make(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) =>
  make(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
export const $ = (id) => document.getElementById(id);

export const say = (text) => { $('message').textContent = text; };
export const number = (x, digits = 4) => x.toFixed(digits);

// ---- places in the page: #view?key=value ----
export const link = (view, parameters = {}) => {
  const query = new URLSearchParams(parameters).toString();
  return `#${view}${query ? '?' + query : ''}`;
};
export const place = () => {
  const [view, query] = location.hash.slice(1).split(/\?(.*)/s);
  return { view: view || 'items', parameters: new URLSearchParams(query || '') };
};

// ---- questions ----
const store = { // a browser may keep us from it
  get: (key) => { try { return sessionStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* then it lasts as long as the page */ } },
};
let token = store.get('token');
export const useToken = (value) => { token = value; store.set('token', value); };

export async function ask(path, parameters = {}, body = undefined, method = body === undefined ? 'GET' : 'POST') {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined)).toString();
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path + (query ? '?' + query : ''), body === undefined ? { method, headers }
      : { method, headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  } catch {
    throw new Error('The server does not answer.');
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) $('token-form').hidden = false;
  throw new Error(answer.error ? answer.error.message : `The server says ${response.status}.`);
}

// Only the latest question's answer is shown, however long an earlier one takes.
export function latest(work) {
  let turn = 0;
  return async (...given) => {
    const mine = ++turn;
    try {
      await work(() => mine === turn, ...given);
    } catch (error) {
      if (mine === turn) say(error.message);
    }
  };
}

// ---- the history that is tried ----
let trial = [];
try { trial = JSON.parse(store.get('trial')) || []; } catch { /* an empty one */ }
export const trialItems = () => trial;
export function setTrial(items) {
  trial = items;
  store.set('trial', JSON.stringify(items));
  $('trial-count').textContent = items.length ? `(${items.length})` : '';
}
export function addToTrial(item) {
  setTrial([...trial, { item: item.item, name: item.name }]);
  say(`“${item.name || item.item}” was put into the history: ${trial.length} in it.`);
  document.dispatchEvent(new Event('trial'));
}

// ---- items ----
export const title = (i) => i.name || i.item;
export const itemLink = (i) => h('a', { href: link('items', { item: i.item }) }, title(i));
export const row = (i, ...more) => h('li', { class: 'item' },
  h('div', {}, itemLink(i), ' ', i.name ? h('span', { class: 'id' }, i.item) : null),
  h('button', { type: 'button', 'aria-label': `Put ${title(i)} into the history`, onclick: () => addToTrial(i) }, '+'),
  ...more);

// An item with the reason for it.
export const reasoned = (i) => row(i,
  i.because ? h('p', { class: 'why' }, 'near ', itemLink({ item: i.because, name: i.because_name }),
    i.likeness === undefined ? '' : ` (${number(i.likeness, 2)})`) : null,
  i.archetype ? h('p', { class: 'archetype' }, i.archetype) : null);

export const fill = (list, rows, empty) =>
  list.replaceChildren(...(rows.length ? rows : [h('li', { class: 'empty' }, empty)]));
