# SPDX-License-Identifier: Apache-2.0
# Sourced by tests of the page: a headless Chromium that is spoken to through its debugging pipe (one JSON object a
# message, a zero byte behind it). Needs $scratch; messages that nobody asked for gather in $scratch/noticed.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo 'SKIP: this test looks at the page with Chromium (tools/install-dependencies.sh page)'
    exit 77
}

browser_start() {
    mkfifo "$scratch/to" "$scratch/from"
    exec 7<>"$scratch/to" 8<>"$scratch/from"
    : >"$scratch/noticed"
    # no sandbox: it shows our own page only, and root has no other way
    HOME=$scratch "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
        --no-first-run --disable-background-networking --disable-component-update --disable-extensions \
        --user-data-dir="$scratch/profile" --remote-debugging-pipe about:blank 3<&7 4>&8 >"$scratch/browser.log" 2>&1 &
    browser_pid=$!
    asked=0
    session=
    cdp Target.createTarget '{"url": "about:blank"}' || { fail_case 'the browser starts' "$(tail -c 1000 "$scratch/browser.log")"; finish; }
    cdp Target.attachToTarget "$(jq -c '{targetId: .result.targetId, flatten: true}' "$scratch/answer")"
    session=$(jq -r .result.sessionId "$scratch/answer")
    for domain in Runtime Log Page; do cdp $domain.enable; done
}

browser_stop() {
    session=
    cdp Browser.close || kill "$browser_pid" 2>/dev/null
    wait "$browser_pid" 2>/dev/null
    exec 7>&- 8>&-
}

cdp() { # cdp METHOD [PARAMETERS]: the answer in $scratch/answer
    local message
    asked=$((asked + 1))
    jq -cn --arg method "$1" --arg session "$session" --argjson id $asked --argjson params "${2:-{\}}" \
        '{id: $id, method: $method, params: $params} + if $session == "" then {} else {sessionId: $session} end' |
        tr '\n' '\0' >&7
    while IFS= read -r -d '' -t 60 message <&8; do
        if [[ $message == "{\"id\":$asked,"* ]]; then
            printf '%s\n' "$message" >"$scratch/answer"
            jq -e 'has("result")' "$scratch/answer" >/dev/null
            return
        fi
        printf '%s\n' "$message" >>"$scratch/noticed"
    done
    return 1
}

js() { # js EXPRESSION: its value as JSON
    cdp Runtime.evaluate "$(jq -cn --arg e "$1" '{expression: $e, awaitPromise: true, returnByValue: true}')" &&
        jq -ce '.result | if has("exceptionDetails") then empty else .result.value end' "$scratch/answer"
}

act() { js "$1" >/dev/null; } # for what it does

page_holds() { # page_holds WHAT EXPRESSION: it becomes true within ten seconds
    local value
    for _ in $(seq 100); do
        value=$(js "$2")
        [ "$value" = true ] && break
        sleep 0.1
    done
    [ "$value" = true ] && passed=$((passed + 1)) ||
        fail_case "$1" "$2 is $value; the page says: $(js 'document.body.innerText.slice(0, 1500)')"
}

visit() { cdp Page.navigate "$(jq -cn --arg u "$1" '{url: $u}')"; }
press() { # press KEY [TEXT]
    local event
    event=$(jq -cn --arg k "$1" --arg t "${2:-}" '{key: $k, code: $k} + if $t == "" then {} else {text: $t} end +
        ({Enter: {windowsVirtualKeyCode: 13}, Tab: {windowsVirtualKeyCode: 9}}[$k] // {})')
    cdp Input.dispatchKeyEvent "$(jq -c '. + {type: "keyDown"}' <<<"$event")"
    cdp Input.dispatchKeyEvent "$(jq -c '. + {type: "keyUp"}' <<<"$event")"
}
type_text() { cdp Input.insertText "$(jq -cn --arg t "$1" '{text: $t}')"; }
mouse() { # mouse TYPE X Y [BUTTONS]
    cdp Input.dispatchMouseEvent "$(jq -cn --arg t "$1" --argjson x "$2" --argjson y "$3" --argjson b "${4:-0}" \
        '{type: $t, x: $x, y: $y, buttons: $b, button: (if $t == "mouseMoved" then "none" else "left" end), clickCount: 1}')"
}
screenshot() { # screenshot FILE.png
    cdp Page.captureScreenshot '{"format": "png"}' && jq -r .result.data "$scratch/answer" | base64 -d >"$1"
}
complaints() { # what the browser held against the page, a line each
    jq -r 'if .method == "Log.entryAdded" and (.params.entry.level == "error" or .params.entry.level == "warning") then .params.entry | "\(.text) \(.url // "")"
        elif .method == "Runtime.exceptionThrown" then .params.exceptionDetails | .exception.description // .text
        elif .method == "Runtime.consoleAPICalled" and (.params.type == "error" or .params.type == "warning") then .params.args | tostring
        else empty end' "$scratch/noticed"
}
