"""A requests-and-tokens loop as OpenAI's cookbook has it: two buckets of one whole minute, a loop that looks every
millisecond, a pause of 15 s after a 429, and the call tried again. Settings: `share` of the rate that is asked for.
"""
import asyncio
import json
import sys
import time

import aiohttp

SETUP = json.loads(sys.argv[1])
PER_MINUTE = SETUP["ratePerSecond"] * 60 * SETUP["settings"]["share"]
TOKENS_PER_MINUTE = PER_MINUTE * 1000
TOKENS_PER_CALL = 500
LOOK_S = 0.001
PAUSE_S = 15
ATTEMPTS = 5


async def main():
    requests, tokens = PER_MINUTE, TOKENS_PER_MINUTE
    last = time.time()
    throttled_at = 0.0
    retries = []
    open_calls = 0
    ids = iter(range(SETUP["ids"]))
    waiting = None
    exhausted = False

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000)) as session:

        async def call(one, left):
            nonlocal open_calls, throttled_at
            try:
                async with session.get(f"{SETUP['url']}/v1/users/u_{one}") as answer:
                    await answer.read()
                    if answer.status == 429:
                        throttled_at = time.time()
                        if left > 1:
                            retries.append((one, left - 1))
            finally:
                open_calls -= 1

        while True:
            if waiting is None:
                if retries:
                    waiting = retries.pop()
                elif not exhausted:
                    one = next(ids, None)
                    exhausted = one is None
                    waiting = None if exhausted else (one, ATTEMPTS)
            now = time.time()
            requests = min(requests + PER_MINUTE * (now - last) / 60, PER_MINUTE)
            tokens = min(tokens + TOKENS_PER_MINUTE * (now - last) / 60, TOKENS_PER_MINUTE)
            last = now
            if waiting is not None and requests >= 1 and tokens >= TOKENS_PER_CALL:
                requests -= 1
                tokens -= TOKENS_PER_CALL
                open_calls += 1
                asyncio.create_task(call(*waiting))
                waiting = None
            if exhausted and waiting is None and open_calls == 0 and not retries:
                return
            await asyncio.sleep(LOOK_S)
            since = time.time() - throttled_at
            if since < PAUSE_S:
                await asyncio.sleep(PAUSE_S - since)


asyncio.run(main())
