# SPDX-License-Identifier: Apache-2.0
"""Clients that mean no good, and some that do, for a while. usage: hostile.py HOST PORT PID SECONDS ITEM USER VECTOR TIMEOUT

Ends with status 0 when every decent client was answered in time, those that keep the server waiting were cut off, and the
server's memory did not grow. Prints what was counted as JSON."""
import asyncio
import json
import random
import socket
import struct
import sys
import time
from urllib.parse import quote

HOST, PORT, PID, SECONDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
ITEM, USER, VECTOR, TIMEOUT = sys.argv[5], sys.argv[6], json.loads(sys.argv[7]), float(sys.argv[8])
IDLE, PATIENCE = 1000, 60  # connections; seconds that a decent client waits at most, on a machine that others use too
END = time.monotonic() + SECONDS
draw = random.Random(7)
told = {"decent": 0, "slowest": 0.0, "cut_off": 0, "malformed": 0, "idle": 0, "half_open": 0, "slow_readers": 0}
wrong, memory = [], []


def going():
    return time.monotonic() < END


async def connect():
    return await asyncio.open_connection(HOST, PORT)


async def close(writer):
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass


# ---- decent clients ----
def request(method, path, body=None):
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return int(head.split()[1]), await reader.readexactly(length)


async def ask(bytes_of_request, expected):
    begin = time.monotonic()
    reader, writer = await connect()
    try:
        writer.write(bytes_of_request)
        await writer.drain()
        status, body = await asyncio.wait_for(answer(reader), PATIENCE)
    finally:
        await close(writer)
    told["decent"] += 1
    told["slowest"] = max(told["slowest"], time.monotonic() - begin)
    if status != expected:
        wrong.append(f"{bytes_of_request[:80]!r}: {status} {body[:200]!r}")


async def decent(number):
    item, user, turn = quote(ITEM), quote(USER), 0
    new = f"h{number}"
    vectors = {"prefill": VECTOR, "decoding": VECTOR}
    while going():
        turn += 1
        await ask(request("GET", f"/v1/recommend?user={user}&k=20&explain=1"), 200)
        await ask(request("GET", f"/v1/similar?item={item}"), 200)
        await ask(request("POST", "/v1/recommend", {"history": [ITEM], "deny": [ITEM], "repeat": True}), 200)
        await ask(request("POST", "/v1/events", {"user": f"h{turn % 50}", "item": ITEM, "id": f"{number}-{turn % 500}"}), 200)
        await ask(request("GET", "/v1/items?q=tent&k=100"), 200)
        await ask(request("GET", "/v1/map" if turn % 10 == 0 else "/metrics"), 200)
        if turn % 20 == 0:
            await ask(request("POST", "/v1/items", {"item_id": new, "vectors": vectors}), 200)
            await ask(request("GET", f"/v1/similar?item={new}"), 200)
            await ask(request("DELETE", f"/v1/items/{new}"), 200)
            await ask(request("POST", "/v1/reload"), 200)
        await asyncio.sleep(0.5)


# ---- those that keep it waiting ----
async def is_cut_off(reader, what):
    try:
        await asyncio.wait_for(reader.read(), TIMEOUT + PATIENCE)
        told["cut_off"] += 1
    except asyncio.TimeoutError:
        wrong.append(f"{what} was not cut off")
    except OSError:
        told["cut_off"] += 1


async def slow_sender():
    text = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + b" " * 900
    while going():
        reader, writer = await connect()
        begin = time.monotonic()
        try:
            for byte in text:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
                if time.monotonic() - begin > TIMEOUT + PATIENCE:
                    wrong.append("a slow sender was not cut off")
                    break
        except OSError:
            told["cut_off"] += 1
        await close(writer)


async def slow_reader():
    while going():
        reader, writer = await connect()
        writer.write(request("GET", "/v1/map") * 20)
        try:
            for _ in range(20):
                await reader.read(1)
                await asyncio.sleep(0.5)
        except OSError:
            pass
        told["slow_readers"] += 1
        writer.transport.abort()


async def idle():
    while going():
        opened = []
        for _ in range(IDLE):
            try:
                opened.append(await connect())
            except OSError:
                break
        told["idle"] = max(told["idle"], len(opened))
        await asyncio.gather(*(is_cut_off(reader, "an idle connection") for reader, _ in opened))
        for _, writer in opened:
            await close(writer)
        await asyncio.sleep(min(30, SECONDS / 20))


async def half_open():
    """Ends with a reset in the middle of a request, or says that it will send no more and does not read either."""
    while going():
        reader, writer = await connect()
        part = request("POST", "/v1/events", {"user": USER, "item": ITEM})
        writer.write(part[:draw.randrange(1, len(part))])
        plain = writer.get_extra_info("socket")
        if draw.random() < 0.5:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.write_eof()
            await asyncio.sleep(0.5)
            await close(writer)
        told["half_open"] += 1
        await asyncio.sleep(0.2)


# ---- what is no request, or a wrong one ----
def mutated(text):
    text = bytearray(text)
    for _ in range(draw.randrange(1, 12)):
        at = draw.randrange(len(text))
        kind = draw.random()
        if kind < 0.4:
            text[at] = draw.randrange(256)
        elif kind < 0.7:
            text[at:at] = draw.choice((b"\0", b"%00", b"\r\n", b"\xff", b"[" * 5000, b"{\"a\":" * 300, b"%", b"../", b"' OR 1=1; --",
                                       b"<script>alert(1)</script>", b"9" * 400, b"\\u0000", b"\\ud800"))
        else:
            del text[at:at + draw.randrange(1, 20)]
        if not text:
            return b"\n"
    return bytes(text)


def odd_requests():
    body = {"history": [ITEM], "k": 5, "where": {"brand": "x"}, "explain": True}
    return (
        request("GET", f"/v1/recommend?user={quote(USER)}&k=10&where=brand:x"), request("POST", "/v1/recommend", body),
        request("POST", "/v1/events", {"user": USER, "item": ITEM, "time": 1, "id": "x"}),
        request("POST", "/v1/items", {"item_id": "odd", "title": "x", "vectors": {"prefill": VECTOR, "decoding": VECTOR}}),
        request("DELETE", "/v1/items/odd"), request("GET", "/v1/items?q=%ff%00&k=1"),
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n3\r\n1}\n\r\n0\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n" + b"[" * 40000,
        b"GET /v1/item?item=../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )


async def malformed():
    kinds = odd_requests()
    while going():
        reader, writer = await connect()
        text = draw.choice(kinds)
        try:
            writer.write(mutated(text) if draw.random() < 0.8 else text)
            await writer.drain()
            writer.write_eof()
            await asyncio.wait_for(reader.read(1 << 20), TIMEOUT + PATIENCE)
        except asyncio.TimeoutError:
            wrong.append(f"no answer and no end: {text[:60]!r}")
        except OSError:
            pass
        told["malformed"] += 1
        await close(writer)
        await asyncio.sleep(0.05)


# ---- memory ----
async def watch_memory():
    while going():
        with open(f"/proc/{PID}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        memory.append((time.monotonic() - END + SECONDS, int(fields["VmRSS"].split()[0]) / 1024, int(fields["Threads"])))
        await asyncio.sleep(max(0.2, min(10, SECONDS / 100)))


async def guarded(work):
    try:
        await work
    except Exception as error:  # the server is gone, or refuses: a finding
        wrong.append(f"{work.__name__}: {error!r}")


async def everything():
    await asyncio.gather(*(guarded(work) for work in (
        decent(1), decent(2), slow_sender(), slow_sender(), slow_reader(), idle(), half_open(), malformed(), malformed(),
        watch_memory())))


asyncio.run(everything())
quarter = len(memory) // 4
highest = [max((m[1] for m in memory[i * quarter:(i + 1) * quarter]), default=0.0) for i in range(4)]
grown = highest[3] - highest[1]
if SECONDS >= 60 and grown > 0.1 * highest[1] + 2:
    wrong.append(f"memory grew from {highest[1]:.0f} to {highest[3]:.0f} MB")
print(json.dumps({**{k: round(v, 3) for k, v in told.items()}, "seconds": SECONDS, "rss_mb_by_quarter": [round(h, 1) for h in highest],
                  "threads_at_most": max((m[2] for m in memory), default=0), "wrong": wrong[:20], "n_wrong": len(wrong)}, indent=1))
sys.exit(bool(wrong))
