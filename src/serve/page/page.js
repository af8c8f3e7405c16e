// SPDX-License-Identifier: Apache-2.0
// The views of items, users and histories, and which of the views is seen.
import { $, ask, fill, h, itemLink, latest, link, place, reasoned, row, say, setTrial, title, trialItems, useToken } from './dom.js';
import { filterForm, filterPairs } from './filters.js';
import { chosen, describeItem } from './item.js';
import { showMap } from './map.js';
import { showRun, showRunName } from './run.js';

const K = 20;

// ---- items ----
const search = latest(async (current, q) => {
  const answer = await ask('/v1/items', { q: q || undefined, k: K });
  if (!current()) return;
  $('found-title').textContent = q ? `${answer.items.length === K ? 'The first ' : ''}${answer.items.length} found` : 'Most chosen';
  fill($('found'), answer.items.map((i) => row(i, h('p', { class: 'why' }, chosen(i)))), 'Nothing is called that.');
});

const showItem = latest(async (current, id) => {
  const parts = id ? await describeItem(id) : [];
  if (!current()) return;
  $('item').replaceChildren(...parts);
});

function showItems(parameters) {
  const q = parameters.get('q');
  if (q !== null || !$('found').hasChildNodes()) {
    if (q !== null) $('q').value = q;
    search($('q').value.trim());
  }
  showItem(parameters.get('item'));
}

// ---- users ----
const names = latest(async (current, q) => {
  const answer = await ask('/v1/users', { q: q || undefined, k: 30 });
  if (current()) $('user-names').replaceChildren(...answer.users.map((u) => h('option', { value: u.user })));
});

const userFilters = filterForm($('users-filters'), 'users', () => [['user', $('user').value]]);

const showUser = latest(async (current, user, filters) => {
  $('user').value = user;
  const [known, wanted] = await Promise.all([
    ask('/v1/user', { user }), ask('/v1/recommend', {}, { user, k: K, explain: true, ...filters })]);
  if (!current()) return;
  $('history-title').textContent = `History of ${user}: ${known.history_length}` +
    (known.events ? `, ${known.events} of them events` : '') + ', latest first';
  fill($('history'), [...known.history].reverse().map((i) => row(i)), 'Nothing is known of this user.');
  $('wanted-title').textContent = wanted.fallback ? `Recommended (${wanted.fallback})` : 'Recommended';
  fill($('wanted'), wanted.items.map(reasoned), 'Nothing is left to recommend.');
});

function showUsers(parameters) {
  names($('user').value);
  const user = parameters.get('user'), filters = userFilters(parameters);
  if (user) showUser(user, filters);
}

async function somebody() {
  const { users } = await ask('/v1/users', { k: 1000 });
  if (users.length) location.hash = link('users', { user: users[Math.floor(Math.random() * users.length)].user });
}

// ---- a history by clicking ----
const tryFilters = filterForm($('try-filters'), 'try', () => []);

const next = latest(async (current) => {
  const history = trialItems(), filters = tryFilters(place().parameters);
  fill($('trial'), history.map((i, at) => h('li', { class: 'item' }, h('div', {}, itemLink(i)),
    h('button', { type: 'button', 'aria-label': `Take ${title(i)} out`, onclick: () => {
      setTrial(history.filter((_, other) => other !== at));
      next();
    } }, '×'))), 'Still empty.');
  $('forget').hidden = history.length === 0;
  const answer = await ask('/v1/recommend', {}, { history: history.map((i) => i.item), k: K, explain: true, ...filters });
  if (!current()) return;
  $('next-title').textContent = answer.fallback ? `What comes next (${answer.fallback})` : 'What comes next';
  fill($('next'), answer.items.map(reasoned), 'Nothing is left to recommend.');
});

function showTrial(parameters) {
  const given = parameters.getAll('item');
  if (given.length) setTrial(given.map((item) => ({ item })));
  next();
}

// ---- which view ----
const views = { items: showItems, users: showUsers, try: showTrial, map: showMap, run: showRun };

function show() {
  const { view, parameters } = place();
  if (view === 'main') return; // the skip link
  const seen = views[view] ? view : 'items';
  say('');
  for (const name of Object.keys(views)) $(name).hidden = name !== seen;
  for (const a of document.querySelectorAll('nav a')) {
    if (a.hash === '#' + seen) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  views[seen](parameters);
}

let typing;
$('q').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => search($('q').value.trim()), 150);
});
$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  location.hash = link('items', { q: $('q').value.trim() });
});
$('user').addEventListener('input', () => names($('user').value));
$('choose-user').addEventListener('submit', (event) => {
  event.preventDefault();
  const user = $('user').value;
  if (user) location.hash = link('users', [['user', user], ...filterPairs(place().parameters)]);
});
$('some-user').addEventListener('click', () => somebody().catch((error) => say(error.message)));
$('forget').addEventListener('click', () => { setTrial([]); next(); });
document.addEventListener('trial', () => { if (place().view === 'try') next(); });
$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useToken($('token').value);
  $('token-form').hidden = true;
  start();
});
window.addEventListener('hashchange', show);

function start() {
  setTrial(trialItems());
  showRunName();
  show();
}
start();
