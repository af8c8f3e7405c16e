# SPDX-License-Identifier: Apache-2.0
"""What tools/fuzz-api.sh gives schemathesis beside openapi.json: names that the server knows. The document cannot say which
items there are, so whatever is drawn to be right is given such names; what is drawn to be wrong stays as it is."""
import json
import os
import zlib

import schemathesis

with open(os.environ["FUZZ_ITEMS"]) as lines:
    RECORDS = [json.loads(line) for line in lines]
ITEMS = [record["item_id"] for record in RECORDS]
BRANDS = sorted({record["brand"] for record in RECORDS if record.get("brand")})
WIDTH = int(os.environ["FUZZ_WIDTH"])
NEW_NAMES = 20  # items are added and taken away under so few names that one request meets the other's


def number(value):
    """The same for the same value, so that a finding can be played again."""
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())


def known(value):
    return ITEMS[number(value) % len(ITEMS)]


def brand(value):
    return BRANDS[number(value) % len(BRANDS)]


def new_name(value):
    return f"new {number(value) % NEW_NAMES}/é"


def right_query(path, query):
    if "viewed" in query:
        query["viewed"] = known(query["viewed"])
    if "where" in query:
        query["where"] = "brand:" + brand(query["where"])
    if path in ("/v1/item", "/v1/similar") and number(query) % 8:
        query["item"] = known(query["item"])


def right_question(body):
    for key in ("history", "allow", "deny", "viewed"):
        if key in body:
            body[key] = [known(name) for name in body[key]]
    if "histories" in body:
        body["histories"] = [[known(name) for name in history] for history in body["histories"]]
    if "where" in body:
        body["where"] = {"brand": brand(body["where"])}


def right_item(body):
    body["item_id"] = new_name(body["item_id"])
    body["vectors"] = {part: [((number(body) + i) % 7 - 3) / 4 for i in range(WIDTH)] for part in ("prefill", "decoding")}


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.query, dict):
        right_query(case.path, case.query)
    if case.path == "/v1/items/{item}" and number(case.path_parameters) % 8:
        case.path_parameters["item"] = new_name(case.path_parameters)
    if not isinstance(case.body, dict):
        return
    if case.path == "/v1/recommend":
        right_question(case.body)
    elif case.path == "/v1/events":
        case.body["item"] = known(case.body["item"])
    elif case.path == "/v1/items":
        right_item(case.body)
