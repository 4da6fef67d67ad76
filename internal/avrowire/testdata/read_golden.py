"""Reads our golden bytes with fastavro, a library that we did not write them with.

usage: read_golden.py SCHEMAS GOLDEN
Prints one line for each problem, and last the number of values that were read.
"""
import datetime
import glob
import io
import json
import os
import sys

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

schemas, golden = sys.argv[1:]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(milliseconds=1)
    if isinstance(value, bytes):
        value = value.hex()
        return "-".join((value[:8], value[8:12], value[12:16], value[16:20], value[20:]))
    if value.__class__.__name__ == "UUID":
        return str(value)
    return value


by_fingerprint = {}
with open(os.path.join(schemas, "fingerprints.txt"), encoding="utf-8") as pins:
    for line in pins:
        if line.startswith("#") or not line.strip():
            continue
        file, pinned, *_ = line.split()
        with open(os.path.join(schemas, file), encoding="utf-8") as f:
            schema = json.load(f)
        computed = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
        little = bytes.fromhex(pinned)[::-1].hex()
        if computed != little:
            print(f"{file}: fastavro's fingerprint is {computed}, ours is {little}")
        by_fingerprint[bytes.fromhex(little)] = (file, parse_schema(schema))

read = 0
for path in sorted(glob.glob(os.path.join(golden, "*.golden.json"))):
    with open(path, encoding="utf-8") as f:
        want = json.load(f)
    value = bytes.fromhex(want["value"])
    name = os.path.basename(path)
    if value[:2] != b"\xc3\x01" or value[2:10] not in by_fingerprint:
        print(f"{name}: its frame names no schema of ours")
        continue
    file, schema = by_fingerprint[value[2:10]]
    if not name.startswith(file.removesuffix("avsc")):
        print(f"{name}: was written with {file}")
    body = io.BytesIO(value[10:])
    record = {k: plain(v) for k, v in schemaless_reader(body, schema).items()}
    if body.read():
        print(f"{name}: bytes trail")
    for field in sorted(record.keys() | want["fields"].keys()):
        if record.get(field, "missing") != want["fields"].get(field, "missing"):
            print(f"{name}: {field}: read {record.get(field, 'missing')!r}, want {want['fields'].get(field, 'missing')!r}")
    read += 1
print(f"read {read}")
