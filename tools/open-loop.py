#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""For maintainers: asks a server at a fixed rate, whether or not earlier questions are answered, and says how long answers took
from the moment when each was due. usage: open-loop.py HOST PORT RATE SECONDS <PATHS, a path a line, taken in turn>"""
import asyncio
import sys
import time

HOST, PORT, RATE, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
PATHS = [line.strip() for line in sys.stdin if line.strip()]
CONNECTIONS = 32


async def ask(free, path, due, taken, failed):
    reader, writer = await free.get()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    await reader.readexactly(length)
    taken.append(time.perf_counter() - due)
    failed.append(b" 200 " not in head[:16])
    free.put_nowait((reader, writer))


async def main():
    free, taken, failed, work = asyncio.Queue(), [], [], []
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(HOST, PORT))
    begin = time.perf_counter() + 0.2
    for i in range(int(RATE * SECONDS)):
        due = begin + i / RATE
        await asyncio.sleep(max(0, due - time.perf_counter()))
        work.append(asyncio.create_task(ask(free, PATHS[i % len(PATHS)], due, taken, failed)))
    await asyncio.gather(*work)
    taken.sort()
    at = lambda share: 1000 * taken[min(len(taken) - 1, int(share * len(taken)))]
    print(f"{len(taken)} answers, {sum(failed)} not 200; median {at(.5):.1f}, 90 % {at(.9):.1f}, 99 % {at(.99):.1f}, "
          f"longest {1000 * taken[-1]:.1f} ms; load {open('/proc/loadavg').read().split()[0]}")


asyncio.run(main())
