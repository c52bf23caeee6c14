"""Judges documents by a JSON Schema, for tests that compare its verdict with the node's.

    judge_json_schema.py SCHEMA.json NAME < documents

NAME is an entry of the schema's $defs. Standard input has one document a line; for each a line is
printed: "yes", or "no" and where the first thing is wrong.
"""

import json
import sys

from jsonschema import Draft202012Validator, FormatChecker


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    chosen = {"$schema": schema["$schema"], "$defs": schema["$defs"], "$ref": f"#/$defs/{sys.argv[2]}"}
    validator = Draft202012Validator(chosen, format_checker=FormatChecker(["uuid"]))
    for line in sys.stdin:
        errors = sorted(validator.iter_errors(json.loads(line)), key=lambda error: list(map(str, error.path)))
        where = "/".join(map(str, errors[0].absolute_path)) if errors else ""
        print(f"no {where}: {errors[0].message}" if errors else "yes")


main()
