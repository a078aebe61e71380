"""Validates CDEvents by the JSON schemas of their specification.

validate.py FOLDER <EVENTS

FOLDER has the schemas; EVENTS are lines of JSON. For each event it prints its type, or what is
wrong with it.
"""

import json
import os
import sys

import jsonschema

schemas = {}
for name in os.listdir(sys.argv[1]):
    if name.endswith(".json"):
        with open(os.path.join(sys.argv[1], name), encoding="utf-8") as file:
            schema = json.load(file)
        kind = schema["properties"]["context"]["properties"]["type"]
        schemas[kind.get("default", "custom")] = schema

for line in sys.stdin:
    event = json.loads(line)
    kind = event["context"]["type"]
    schema = schemas["custom" if kind.startswith("dev.cdeventsx.") else kind]
    errors = jsonschema.Draft202012Validator(schema).iter_errors(event)
    said = [f"{error.json_path}: {error.message}" for error in errors]
    print("; ".join(said) or kind)
