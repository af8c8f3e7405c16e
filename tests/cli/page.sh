#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The page in a browser: search, item, user, history, map, run; by mouse, by keyboard, on a phone, in the dark.
# usage: page.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
. "$source/tests/cli/browser.sh"
"$third" shop 200 7
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
evil=$(jq -r .item_id ws/items.jsonl | sed -n 3p)
tent=$(jq -r .item_id ws/items.jsonl | sed -n 5p)
jq -c --arg evil "$evil" 'if .item_id == $evil then .title = "<script>alert(1)</script>" | .description = "<img src=x onerror=alert(2)>"
    else . end' shop/items.jsonl >changed.jsonl
run 0 prepare -w ws --interactions shop/interactions.tsv --items changed.jsonl
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids
run 0 fuse -w ws --components 16
run 0 train -w ws --run one --hidden 16 --max-len 20 --epochs 3 --batch 64
user=$(sed -n 2p shop/interactions.tsv | cut -f1)
name=$(jq -r --arg i "$tent" 'select(.item_id == $i) | .name' ws/items.jsonl)

. "$source/tests/cli/server.sh"
trap 'kill -9 $server $browser_pid 2>/dev/null; rm -rf "$scratch"' EXIT
start one
holds 'the page forbids foreign script' grep -qi "^content-security-policy: default-src 'none'; script-src 'self';" \
    <(curl -sD - -o /dev/null "$url/")

browser_start
# ---- items ----
visit "$url/"
page_holds 'the run is named' "document.querySelector('#run-name').textContent === 'one: genair, sasrec'"
page_holds 'popular items at first' "document.querySelectorAll('#found li.item').length === 20"
act "document.querySelector('#q').focus()"
type_text "$(tr '[:lower:]' '[:upper:]' <<<"$name")"
page_holds 'a search finds an item, whatever the case' "document.querySelector('#found a').textContent === $(jq -cn --arg n "$name" '$n')"
act "document.querySelector('#found a').click()"
page_holds 'the item and its neighbours' "document.querySelector('#item h2').textContent === $(jq -cn --arg n "$name" '$n') &&
    document.querySelectorAll('#item li.item').length === 10 && document.querySelector('#item dl').textContent.includes('chosen')"
visit "$url/#items?q=no%20such%20thing%20at%20all"
page_holds 'nothing found is said' "document.querySelector('#found').textContent === 'Nothing is called that.'"
visit "$url/#items?q=script%20alert&item=$evil"
page_holds 'what an item is called stays text' "document.querySelector('#found a').textContent === '<script>alert(1)</script>' &&
    document.querySelector('#item h2').textContent === '<script>alert(1)</script>' &&
    document.querySelector('#item dl').textContent.includes('<img src=x onerror=alert(2)>')"
page_holds 'and makes no element' "document.querySelectorAll('script').length === 1 && document.querySelectorAll('img').length === 0"
visit "$url/#items?item=no-such-item"
page_holds 'an item that is not there' "document.querySelector('#message').textContent.includes('no such item')"
# the browser notes the 404s that we asked for
complaints | grep -v '404' >complained
holds "the console is quiet: $(head -3 complained)" test ! -s complained

# ---- an item that was added, and taken away ----
run 0 inspect ws/prefill.npy --json
vector=$(jq -c '[range(.shape[1]) | . / 64]' out)
ask 200 /v1/items -d '{"item_id": "later/1", "title": "Came later", "vectors": {"prefill": '"$vector"', "decoding": '"$vector"'}}'
visit "$url/#items?item=later%2F1"
page_holds 'it can be taken away' "document.querySelector('#item h2').textContent === 'Came later' && document.querySelector('#item .remove') !== null"
act "document.querySelector('#item .remove').click()"
page_holds 'after a question' "document.querySelector('#item .remove').textContent === 'Really take it away?'"
ask 200 /v1/item?item=later/1
act "document.querySelector('#item .remove').click()"
page_holds 'it is gone' "document.querySelector('#message').textContent.includes('Came later') && document.querySelector('#item h2') === null"
ask 404 /v1/item?item=later/1
visit "$url/#items?item=$tent"
page_holds 'an item of the log cannot' "document.querySelector('#item h2') !== null && document.querySelector('#item .remove') === null"

# ---- users ----
visit "$url/#users?user=$user"
page_holds 'history and recommendations' "document.querySelectorAll('#history li.item').length > 2 &&
    document.querySelectorAll('#wanted li.item').length === 20 && document.querySelector('#wanted .why').textContent.startsWith('near ')"
visit "$url/#users?user=nobody"
page_holds 'somebody unknown' "document.querySelector('#history').textContent === 'Nothing is known of this user.' &&
    document.querySelector('#wanted-title').textContent.includes('popular items')"

# ---- a history by clicking ----
visit "$url/#items?q="
page_holds 'items' "document.querySelectorAll('#found li.item').length === 20"
act "document.querySelector('#found li.item button').click(); document.querySelectorAll('#found li.item button')[1].click()"
page_holds 'two in the history' "document.querySelector('#trial-count').textContent === '(2)'"
act "document.querySelector('nav a[href=\"#try\"]').click()"
page_holds 'what comes next' "document.querySelectorAll('#trial li.item').length === 2 && document.querySelector('#next .why') !== null"
act "document.querySelector('#next li.item button').click()"
page_holds 'one more' "document.querySelectorAll('#trial li.item').length === 3"
act "document.querySelector('#trial button').click()"
page_holds 'one less' "document.querySelectorAll('#trial li.item').length === 2"

# ---- which items ----
brand=$(jq -r .brand ws/items.jsonl | sort | uniq -c | sort -rn | sed -n '1s/^ *[0-9]* //p')
denied=$(jq -r --arg b "$brand" 'select(.brand == $b) | .item_id' ws/items.jsonl | head -n 1)
act "document.querySelector('nav a[href=\"#try\"]').click()"
act "document.querySelector('#try-filters').open = true"
page_holds 'attributes are offered' "[...document.querySelectorAll('#try-attributes option')].some((o) => o.value === 'brand')"
act "document.querySelector('#try-attribute-0').focus()"
type_text brand
act "document.querySelector('#try-value-0').focus()"
type_text "$brand"
act "document.querySelector('#try-deny').focus()"
type_text "$denied"
act "document.querySelector('#try-filters form').requestSubmit()"
of_brand=$(jq -c --arg b "$brand" --arg i "$denied" 'select(.brand == $b and .item_id != $i) | .item_id' ws/items.jsonl | jq -cs .)
listed="[...document.querySelectorAll('#next li.item div > a')].map((a) => new URLSearchParams(a.hash.split('?')[1]).get('item'))"
page_holds 'only items of the brand, not the denied one' "(() => { const l = $listed, of = $of_brand; return l.length > 0 && l.every((i) => of.includes(i)); })() &&
    document.querySelector('#try-filters summary').textContent === 'Which items (2 set)'"
page_holds 'the address says it' "new URLSearchParams(location.hash.split('?')[1]).get('where') === $(jq -cn --arg b "brand:$brand" '$b')"
visit "$url/#users?user=$user&allow=$tent&allow=$evil&repeat=1"
page_holds 'only what is allowed' "document.querySelectorAll('#wanted li.item').length === 2 && document.querySelector('#users-allow').value === '$tent\n$evil' &&
    document.querySelector('#users-repeat').checked && document.querySelector('#users-filters').open"
act "document.querySelector('#users-filters button[type=button]').click()"
page_holds 'taken away' "location.hash === '#users?user=$user' && document.querySelectorAll('#wanted li.item').length === 20 && document.querySelector('#users-allow').value === ''"
visit "$url/#users?user=$user&where=brand:no%20such"
page_holds 'what no item has is said' "document.querySelector('#message').textContent.includes('no such')"
complaints | grep -v '404\|400' >complained
holds "the console is quiet: $(head -3 complained)" test ! -s complained

# ---- the map ----
visit "$url/#map"
page_holds 'a map of all items' "document.querySelector('#map-kind').textContent.startsWith('$(wc -l <ws/items.jsonl) of ')"
page_holds 'it is drawn' "(() => { const c = document.querySelector('#canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n > 500; })()"
act "document.querySelector('#canvas').focus()"
for key in + ArrowLeft ArrowUp; do press "$key"; done
page_holds 'keys name the item in the middle' "document.querySelector('#map-label').textContent.length > 0"
press Enter
page_holds 'Enter opens it' "location.hash.startsWith('#map?item=') && document.querySelector('#map-item h2') !== null"
before=$(js 'location.hash')
act "document.querySelector('#zoom-all').click()"
read -r x y < <(js "(() => { const b = document.querySelector('#canvas').getBoundingClientRect(); return (b.x + b.width / 2) + ' ' + (b.y + b.height / 2); })()" | tr -d '"')
mouse mousePressed "$x" "$y" 1
mouse mouseMoved "$((${x%.*} + 60))" "$((${y%.*} + 40))" 1
mouse mouseReleased "$((${x%.*} + 60))" "$((${y%.*} + 40))"
holds 'dragging opens nothing' test "$(js 'location.hash')" = "$before"
act "document.querySelector('#zoom-all').click()"
# a click on a place where an item is: its ring's, drawn for it
js "(async () => {
    const map = await (await fetch('/v1/map')).json(), c = document.querySelector('#canvas'), b = c.getBoundingClientRect();
    const low = (v) => Math.min(...v), high = (v) => Math.max(...v), w = high(map.x) - low(map.x), h = high(map.y) - low(map.y);
    const scale = 0.92 * Math.min(b.width / w, b.height / h), i = map.x.indexOf(low(map.x));
    return (b.x + b.width / 2 + (map.x[i] - (low(map.x) + high(map.x)) / 2) * scale) + ' ' +
        (b.y + b.height / 2 - (map.y[i] - (low(map.y) + high(map.y)) / 2) * scale) + ' ' + map.item[i];
})()" | tr -d '"' >place
read -r x y item <place
mouse mousePressed "$x" "$y" 1
mouse mouseReleased "$x" "$y"
page_holds 'a click opens the item under it' "location.hash === '#map?item=$item'"
complaints | grep -v '404\|400' >complained
holds "the console is quiet: $(head -3 complained)" test ! -s complained

# ---- the run ----
visit "$url/#run"
page_holds 'curve and tables' "document.querySelector('#curve path.quality') !== null && document.querySelectorAll('#tables table').length === 3 &&
    document.querySelector('#tables').textContent.includes('test, full')"

# ---- by keyboard, on a phone, in the dark ----
visit "$url/#items"
page_holds 'the skip link comes first' "document.querySelector('a, button, input, [tabindex]').className === 'skip' &&
    [...document.querySelectorAll('*')].every((e) => e.tabIndex <= 0)"
page_holds 'everything has a name' "[...document.querySelectorAll('input, textarea, button, a, canvas')].every((e) =>
    (e.labels && e.labels.length) || e.getAttribute('aria-label') || e.textContent.trim())"
contrast="(() => { const s = getComputedStyle(document.documentElement), light = (name) => { const v = s.getPropertyValue(name).trim().slice(1);
    const f = (x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    return [0.2126, 0.7152, 0.0722].reduce((a, w, i) => a + w * f(parseInt(v.slice(2 * i, 2 * i + 2), 16)), 0); };
    return ['--ink', '--quiet', '--link'].every((n) => { const a = light(n), b = light('--paper');
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) >= 4.5; }); })()"
page_holds 'text stands out' "$contrast"
background=$(js "getComputedStyle(document.body).backgroundColor")
cdp Emulation.setEmulatedMedia '{"features": [{"name": "prefers-color-scheme", "value": "dark"}]}'
page_holds 'it is dark in the dark' "getComputedStyle(document.body).backgroundColor !== $background"
page_holds 'text stands out there too' "$contrast"
cdp Emulation.setDeviceMetricsOverride '{"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true}'
for view in items "items?item=$evil" "users?user=$user" "users?user=$user&deny=$tent" try map run; do
    visit "$url/#$view"
    sleep 0.3
    page_holds "#$view fits a phone" "document.documentElement.scrollWidth <= 360"
done
complaints | grep -v '404\|400' >complained
holds "the console is quiet: $(head -3 complained)" test ! -s complained
page_holds 'script from text does not run' "(() => { try { document.body.innerHTML = '<img src=x>'; return false; } catch { return true; } })()"

# ---- a server with a token ----
stop
printf 'a-secret-of-some-length\n' >token
start one --token-file token
visit "$url/"
page_holds 'the token is asked for' "!document.querySelector('#token-form').hidden"
act "document.querySelector('#token').focus()"
type_text a-secret-of-some-length
press Enter $'\r'
page_holds 'and opens the page' "document.querySelector('#token-form').hidden && document.querySelectorAll('#found li.item').length === 20"
browser_stop
kill -TERM $server
wait $server
finish
